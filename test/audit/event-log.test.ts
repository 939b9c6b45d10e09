import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { openEventLog, type EventLogOptions, type OpenEventLog } from "../../server/audit/event-log.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { rounds } from "../harness/share.ts";
import { withCompileCache } from "../harness/compile-cache.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

const stopped = (reason: string): AuditEvent => ({ type: "server-stopped", reason });

const open = (directory: string, options: Partial<EventLogOptions> = {}): Promise<OpenEventLog> =>
  openEventLog({
    server: "pep-1",
    directory: join(directory, "log"),
    runtime: testRuntime(),
    ...options,
  });

const lines = (directory: string): { seq: number; event: { type: string; reason?: string } }[] =>
  readdirSync(join(directory, "log"))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .flatMap((name) =>
      readFileSync(join(directory, "log", name), "utf8")
        .trimEnd()
        .split("\n"),
    )
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("an event is durable when append resolves", async () => {
  const directory = temporaryDirectory();
  const synchronized: string[] = [];
  const log = await open(directory, {
    synchronize: async (file: FileHandle) => {
      await file.datasync();
      synchronized.push(readFileSync(join(directory, "log", "000000000001.ndjson"), "utf8"));
    },
  });
  await log.append(stopped("one"));
  expect(synchronized.at(-1)).toContain('"reason":"one"');
  await log.close();
});

test("every line says which server wrote it, whatever characters its name has", async () => {
  const directory = temporaryDirectory();
  const log = await open(directory, { server: 'pep"\\\n1' });
  await Promise.all([log.append(stopped("one")), log.append(stopped("two"))]);
  await log.close();
  expect(lines(directory)).toMatchObject([{ server: 'pep"\\\n1' }, { server: 'pep"\\\n1' }]);
});

test("events appended at the same time share one fsync and keep their order", async () => {
  const directory = temporaryDirectory();
  let fsyncs = 0;
  const log = await open(directory, {
    synchronize: async (file) => {
      fsyncs += 1;
      await file.datasync();
    },
  });
  await Promise.all(Array.from({ length: 100 }, (_, index) => log.append(stopped(String(index)))));
  await log.close();
  expect(fsyncs).toBeLessThan(5);
  expect(lines(directory).map(({ event }) => event.reason)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
  expect(lines(directory).map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test("while fsync fails every append is refused, and none of it is in the log afterwards", async () => {
  const directory = temporaryDirectory();
  let broken = false;
  const log = await open(directory, {
    synchronize: async (file) => {
      if (broken) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
      await file.datasync();
    },
  });
  await log.append(stopped("before"));
  broken = true;
  await expect(log.append(stopped("lost 1"))).rejects.toMatchObject({ category: "AuditUnavailable" });
  await expect(log.append(stopped("lost 2"))).rejects.toMatchObject({ category: "AuditUnavailable" });
  broken = false;
  await log.append(stopped("after"));
  await log.close();
  expect(lines(directory).map(({ seq, event }) => [seq, event.reason])).toEqual([
    [1, "before"],
    [2, "after"],
  ]);
});

test("a torn last line is kept aside, and the repair is on the record", async () => {
  const directory = temporaryDirectory();
  const first = await open(directory);
  await first.append(stopped("whole"));
  await first.close();
  const segment = join(directory, "log", "000000000001.ndjson");
  appendFileSync(segment, '{"seq":2,"at":"2026');
  const second = await open(directory);
  await second.append(stopped("next"));
  await second.close();
  expect(lines(directory).map(({ seq, event }) => [seq, event.type])).toEqual([
    [1, "server-stopped"],
    [2, "log-repaired"],
    [3, "server-stopped"],
  ]);
  const torn = readdirSync(join(directory, "log")).filter((name) => name.includes("torn"));
  expect(torn).toHaveLength(1);
  expect(readFileSync(join(directory, "log", torn[0] ?? ""), "utf8")).toBe('{"seq":2,"at":"2026');
});

test("a segment that is nothing but a torn line is repaired without using its number twice", async () => {
  const directory = temporaryDirectory();
  const first = await open(directory, { segmentBytes: 1 });
  await first.append(stopped("a"));
  await first.append(stopped("b"));
  await first.close();
  writeFileSync(join(directory, "log", "000000000002.ndjson"), '{"seq":2');
  const second = await open(directory);
  await second.append(stopped("c"));
  await second.close();
  expect(lines(directory).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("a damaged whole last line stops the start instead of being repaired away", async () => {
  const directory = temporaryDirectory();
  const first = await open(directory);
  await first.append(stopped("whole"));
  await first.close();
  appendFileSync(join(directory, "log", "000000000001.ndjson"), "not an event\n");
  await expect(open(directory)).rejects.toMatchObject({ category: "AuditUnavailable" });
});

test("numbers go on over segments and restarts", async () => {
  const directory = temporaryDirectory();
  for (let start = 0; start < 3; start += 1) {
    const log = await open(directory, { segmentBytes: 300 });
    for (let index = 0; index < 4; index += 1) await log.append(stopped(`${start}.${index}`));
    await log.close();
  }
  expect(lines(directory).map(({ seq }) => seq)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  expect(readdirSync(join(directory, "log")).length).toBeGreaterThan(2);
});

test("a second writer is refused by name, and may append once the first is done", async () => {
  const directory = temporaryDirectory();
  const log = await open(directory);
  await expect(open(directory)).rejects.toMatchObject({
    category: "ResourceExists",
    message: `This data directory is in use by process ${process.pid}: another server or import runs on it.`,
  });
  await log.close();
  const next = await open(directory);
  await next.append(stopped("went on"));
  await next.close();
});

test("of many processes that want the lock of a killed one, exactly one gets it at a time", async () => {
  const directory = temporaryDirectory();
  const contender = join(import.meta.dirname, "lock-contender.mts");
  for (let round = 0; round < rounds(2, 5); round += 1) {
    const contenders = Array.from({ length: 6 }, () =>
      spawn(process.execPath, [contender, join(directory, "log.lock")], {
        env: withCompileCache(),
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    const answers = await Promise.all(
      contenders.map(
        (child) => new Promise<string>((resolve) => child.stdout.once("data", (bytes) => resolve(String(bytes)))),
      ),
    );
    expect(answers.filter((answer) => answer === "holds")).toHaveLength(1);
    // Killed while holding it: the next round finds it free.
    await Promise.all(
      contenders.map((child) => new Promise((resolve) => child.once("exit", resolve) && child.kill("SIGKILL"))),
    );
  }
});

test("the log's files are for their owner only", async () => {
  const directory = temporaryDirectory();
  const log = await open(directory);
  await log.append(stopped("x"));
  await log.close();
  expect(statSync(join(directory, "log")).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "log", "000000000001.ndjson")).mode & 0o777).toBe(0o600);
});

test("an event that is not in the union is refused, not written", async () => {
  const directory = temporaryDirectory();
  const log = await open(directory);
  // A cast, because the type forbids what this test is about.
  const odd = { type: "server-stopped", reason: "x", recoveryKey: "1" } as unknown as AuditEvent;
  await expect(log.append(odd)).rejects.toMatchObject({ category: "AuditUnavailable" });
  await log.close();
  expect(readdirSync(join(directory, "log"))).toEqual([]);
});

test("what is computed of the lines begins while the disk works, and counts once they are durable, never when they are not", async () => {
  const directory = temporaryDirectory();
  const steps: string[] = [];
  let broken = false;
  const log = await open(directory, {
    synchronize: async (file) => {
      await file.datasync();
      if (broken) throw new Error("EIO: i/o error, fdatasync");
      steps.push("durable");
    },
    onWritten: (written) => {
      const reasons = written.map(
        (line) => z.object({ event: z.object({ reason: z.string() }) }).parse(JSON.parse(line.toString())).event.reason,
      );
      steps.push(`written ${reasons.join()}`);
      return () => steps.push(`counted ${reasons.join()}`);
    },
  });
  await Promise.all([log.append(stopped("one")), log.append(stopped("two"))]);
  steps.push("told");
  broken = true;
  await expect(log.append(stopped("lost"))).rejects.toMatchObject({ category: "AuditUnavailable" });
  broken = false;
  await log.append(stopped("three"));
  await log.close();
  expect(steps.filter((step) => step !== "durable")).toEqual([
    "written one,two",
    "counted one,two",
    "told",
    "written lost",
    "written three",
    "counted three",
  ]);
  expect(steps.indexOf("written one,two")).toBeLessThan(steps.indexOf("durable"));
  expect(steps.indexOf("durable")).toBeLessThan(steps.indexOf("counted one,two"));
});

test("lines whose tree could not be made are refused, and not in the log", async () => {
  const directory = temporaryDirectory();
  let broken = true;
  const log = await open(directory, {
    onWritten: () => {
      if (broken) throw new Error("no tree");
      return () => undefined;
    },
  });
  await expect(log.append(stopped("lost"))).rejects.toMatchObject({ category: "AuditUnavailable" });
  broken = false;
  await log.append(stopped("after"));
  await log.close();
  expect(lines(directory).map(({ seq, event }) => [seq, event.reason])).toEqual([[1, "after"]]);
});

test.each([1, 21_845, 65_000, 65_536, 70_000])(
  "lines of %i characters of three bytes are whole, alone and together",
  async (length) => {
    const directory = temporaryDirectory();
    const long = "€".repeat(length);
    const leaves: string[] = [];
    const log = await open(directory, {
      onWritten: (written) => {
        leaves.push(...written.map(String));
        return () => undefined;
      },
    });
    await log.append(stopped(long));
    await Promise.all([log.append(stopped("short")), log.append(stopped(long)), log.append(stopped("\n\u2028"))]);
    await log.close();
    expect(lines(directory).map(({ event }) => event.reason)).toEqual([long, "short", long, "\n\u2028"]);
    expect(`${leaves.join("\n")}\n`).toBe(readFileSync(join(directory, "log", "000000000001.ndjson"), "utf8"));
  },
);

test("an event is written as it was when it was appended", async () => {
  const directory = temporaryDirectory();
  const log = await open(directory);
  const event = { type: "server-stopped" as const, reason: "then" };
  const durable = log.append(event);
  event.reason = "later";
  await durable;
  await log.close();
  expect(lines(directory).map((line) => line.event.reason)).toEqual(["then"]);
});
