import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openElevationStore } from "../../server/authorization/elevation-store.ts";
import { Elevations } from "../../server/authorization/elevation.ts";
import { withCompileCache } from "../harness/compile-cache.ts";
import { createStage } from "../harness/elevation-stage.ts";
import { rounds } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const kills = rounds(6, 25);
const line = "Get-RecoveryKeys -raw";
const party = (connectedUser: string) => ({ connectedUser, keyFingerprint: `SHA256:${connectedUser}`, origin: {} });
const linesOf = (path: string): number => readFileSync(path, "utf8").split("\n").length - 1;

const reopen = async (path: string): Promise<Elevations> =>
  new Elevations({
    store: await openElevationStore(path),
    log: { append: () => Promise.resolve() },
    now: () => new Date(),
    times: () => ({ requestMs: 3_600_000, approvalMs: 3_600_000 }),
    over: new Set(),
  });

/** What a writer acknowledged until it was killed, at a point that chance chose. */
const killOnce = async (path: string): Promise<readonly string[]> => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "elevation-writer.ts"), path], {
    env: withCompileCache(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const after = 1 + Math.floor(Math.random() * 400);
  let text = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    text += chunk;
    if (!child.killed && text.split("\n").length > after) child.kill("SIGKILL");
  });
  await once(child, "close");
  expect(child.signalCode).toBe("SIGKILL");
  return text.split("\n").slice(0, -1);
};

test(`after each of ${kills} kills while the store is made smaller, what was used stays used and what was approved stays approved`, async () => {
  let uses = 0;
  let approvals = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const path = join(temporaryDirectory(), "elevation.ndjson");
    const said = await killOnce(path);
    const digests = new Map<string, string>();
    for (const text of said) {
      const [, id, digest] = /^approved (\S+) (.*)$/.exec(text) ?? [];
      if (id !== undefined && digest !== undefined) digests.set(id, digest);
    }
    const begun = new Set(said.flatMap((text) => /^using (\S+)$/.exec(text)?.[1] ?? []));
    const used = said.flatMap((text) => /^used (\S+)$/.exec(text)?.[1] ?? []);
    const elevations = await reopen(path);
    for (const id of used) {
      await expect(elevations.consume(id, digests.get(id) ?? "", party("alice"))).rejects.toThrow(/used already/);
      uses += 1;
    }
    for (const [id, digest] of digests) {
      if (begun.has(id)) continue;
      await elevations.consume(id, digest, party("alice"));
      approvals += 1;
    }
    await elevations.close();
  }
  expect(uses).toBeGreaterThan(kills * 10);
  expect(approvals).toBeGreaterThan(kills);
}, 300_000);

test("a start leaves one line for each request that counts, and forgets those of yesterday", async () => {
  const stage = await createStage();
  const used = await stage.ask("alice", line);
  await stage.approve(used);
  await stage.run("alice", `${line} -RequestId ${used}`);
  const pending = await stage.ask("carol", line);
  await expect.poll(() => linesOf(stage.storePath)).toBe(6); // each was counted, too
  await stage.restart();
  expect(linesOf(stage.storePath)).toBe(2);
  expect((await stage.run("alice", `${line} -RequestId ${used}`)).message).toContain("used already");
  stage.pass(26 * 3_600_000);
  await stage.elevations().sweep();
  await stage.restart();
  expect(linesOf(stage.storePath)).toBe(0);
  for (const [user, id] of [
    ["alice", used],
    ["carol", pending],
  ] as const) {
    expect((await stage.run(user, `${line} -RequestId ${id}`)).message).toBe("You have no such request.");
  }
});

test("a store that is never restarted stays within its bound", async () => {
  const path = join(temporaryDirectory(), "elevation.ndjson");
  const elevations = new Elevations({
    store: await openElevationStore(path),
    log: { append: () => Promise.resolve() },
    now: () => new Date(),
    times: () => ({ requestMs: 3_600_000, approvalMs: 3_600_000 }),
    over: new Set(),
    spareLines: 20,
  });
  let most = 0;
  for (let count = 0; count < 100; count += 1) {
    const asked = { command: "c", invocation: "c", digest: String(count), reason: undefined, ceiling: undefined };
    const { requestId } = await elevations.request(asked, party("alice"));
    await elevations.decide(requestId, "denied", "no", party("bob"));
    most = Math.max(most, linesOf(path) - elevations.own(party("alice")).length);
  }
  expect(most).toBeLessThanOrEqual(20);
  await elevations.close();
});

test("what a crash left beside the store is no obstacle, and a disk that takes no new file leaves the old one in force", async () => {
  const path = join(temporaryDirectory(), "elevation.ndjson");
  let failing = false;
  const store = await openElevationStore(path, async (file) => {
    if (failing) throw new Error("disk full");
    await file.datasync();
  });
  const change = { requestId: "E-0000000001", state: "pending", expiresAtMs: 1 } as const;
  await store.append(change);
  await store.append({ ...change, state: "consumed" });
  writeFileSync(`${path}.new`, "half a li");
  failing = true;
  await expect(store.compact([change])).rejects.toThrow(/could not be recorded/);
  expect(existsSync(`${path}.new`)).toBe(false);
  expect(linesOf(path)).toBe(2);
  failing = false;
  await store.compact([{ ...change, state: "consumed" }]);
  await store.append({ ...change, requestId: "E-0000000002" });
  await store.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const again = await openElevationStore(path);
  expect(again.changes.map(({ requestId, state }) => `${requestId} ${state}`)).toEqual([
    "E-0000000001 consumed",
    "E-0000000002 pending",
  ]);
  await again.close();
});
