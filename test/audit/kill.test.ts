import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readEvents } from "../../server/audit-review/read-events.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { Checkpointer } from "../../server/audit/checkpointer.ts";
import { readThrough } from "../../server/audit/read-through.ts";
import { withCompileCache } from "../harness/compile-cache.ts";
import { rounds } from "../harness/share.ts";
import { emptyRecord, openAt } from "../audit-review/record.ts";

/** Starting a process costs most: each kill interrupts several writers, each at a point of its own. */
const kills = rounds(6, 25);
const writers = 8;

/** Runs the writers until they have acknowledged so many events, and kills them wherever they are then. */
const killOnce = async (args: readonly string[], afterEvents: number): Promise<string[]> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "kill-writer.ts"), ...args], {
    env: withCompileCache(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    text += chunk;
    if (!child.killed && text.split("\n").length > afterEvents) child.kill("SIGKILL");
  });
  await once(child, "close");
  expect(child.signalCode).toBe("SIGKILL");
  return text.split("\n").slice(0, -1);
};

test(`every event that was acknowledged is there after ${kills * writers} interrupted writers, in records that hold`, async () => {
  const made = Array.from({ length: writers }, () => ({ ...emptyRecord() }));
  const [{ key, publicKey, dataDirectory } = emptyRecord()] = made;
  const keyFile = join(dataDirectory, "log-key");
  writeFileSync(keyFile, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const directories = made.map((record) => record.dataDirectory);
  const acknowledged = new Set<string>();
  for (let kill = 0; kill < kills; kill += 1) {
    const afterEvents = 1 + Math.floor(Math.random() * 1000);
    for (const reason of await killOnce([String(kill), keyFile, ...directories], afterEvents)) acknowledged.add(reason);
  }
  const found = new Set<unknown>();
  for (const directory of directories) {
    // Durable together, signed together: what a kill leaves behind the last signature was acknowledged to nobody.
    const checkpointer = new Checkpointer({ directory: join(directory, "audit"), key, giveUpSpace: () => false });
    await readThrough(join(directory, "audit"), checkpointer, undefined);
    const signed = checkpointer.provedSize;
    expect(signed).toBeGreaterThan(0);
    for (const { seq, event } of readEvents(join(directory, "audit", "log"))) {
      if (seq > signed) expect(acknowledged).not.toContain(event["reason"]);
    }
    await (await openAt({ dataDirectory: directory, key })).close();
    for (const { event } of readEvents(join(directory, "audit", "log"))) found.add(event["reason"]);
    const { problems } = verifyRecord({ dataDirectory: directory, publicKey, sinceCheckpoint: undefined });
    expect(problems).toEqual([]);
  }
  expect([...acknowledged].filter((reason) => !found.has(reason))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(kills * writers);
}, 300_000);
