import { spawn } from "node:child_process";
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { emptyRecord, openAt, recordSession, type MadeRecord } from "../audit-review/record.ts";
import { pep, root } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { shareOf } from "../harness/share.ts";

/*
 * ATTACK   Make the record endless to read: a transcript that claims a terabyte, a file system that does not answer, a pipe whose
 *          other end reads nothing.
 * DANGER   pep audit hangs for good, and neither SIGTERM nor Ctrl-C ends it; a job that verifies each night piles up.
 * EXPECT   Both end it, whatever it waits for. Of a transcript no more is read than the log says it has.
 */

const main = join(root, "dist", "server", "main.js");
const sessionId = "S-0000000000000001";

const record = async (): Promise<MadeRecord> => {
  const made = emptyRecord();
  const open = await openAt(made);
  await recordSession(open, made.dataDirectory, sessionId);
  await open.close();
  return made;
};

/**
 * Starts it under a tracer in whose hands each read of a file takes an hour. @returns its process, once it waits for one. The
 * tracer writes down its end, but holds the thread that reads until it ends too.
 */
const waitingFor = async (path: string, args: readonly string[]) => {
  const trace = join(temporaryDirectory(), "trace");
  const child = spawn(
    "strace",
    [
      "-f",
      "-qq",
      "-o",
      trace,
      "-P",
      path,
      "-e",
      "trace=read,pread64",
      "-e",
      "inject=read,pread64:delay_enter=3600000000",
      process.execPath,
      main,
      ...args,
    ],
    { stdio: "ignore" },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const children = (): string => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
  await expect.poll(() => existsSync(trace) && /(read|pread64)\(/.test(readFileSync(trace, "utf8"))).toBe(true);
  const pid = Number(children());
  onTestFinished(async () => {
    child.kill("SIGKILL");
    if (existsSync(`/proc/${pid}/exe`)) process.kill(pid, "SIGKILL");
    await exited;
  });
  return { pid, ended: () => /\+\+\+ (killed by|exited with)/.test(readFileSync(trace, "utf8")) };
};

const verbs: readonly (readonly [string, readonly string[], string])[] = [
  ["verify", [], "log/000000000001.ndjson"],
  ["verify", [], `transcripts/${sessionId}.cast`],
  ["list", [], "log/000000000001.ndjson"],
  ["play", [sessionId], `transcripts/${sessionId}.cast`],
  ["export", ["--html", "report"], "log/000000000001.ndjson"],
  ["prune", ["--before", "2026-01-01"], "log/000000000001.ndjson"],
];

const tries = verbs.flatMap((verb) => (["SIGTERM", "SIGINT"] as const).map((signal) => [...verb, signal] as const));
for (const [verb, more, file, signal] of shareOf(tries, 4)) {
  test(`${signal} ends pep audit ${verb} while it waits for ${file} of a file system that hangs`, async () => {
    const { dataDirectory } = await record();
    const args = more.map((one) => (one === "report" ? join(temporaryDirectory(), one) : one));
    const path = join(dataDirectory, "audit", file);
    const { pid, ended } = await waitingFor(path, ["audit", verb, ...args, "--data-dir", dataDirectory]);
    process.kill(pid, signal);
    await expect.poll(ended).toBe(true);
  }, 60_000);
}

test("SIGTERM ends pep audit show when nobody reads what it says", async () => {
  const made = emptyRecord();
  const open = await openAt(made);
  const refused = { type: "request-refused", sessionId, request: "env", reason: "not available" } as const;
  await Promise.all(Array.from({ length: 2000 }, () => open.append({ ...refused, detail: "x".repeat(200) })));
  await open.close();
  const child = spawn(process.execPath, [main, "audit", "show", sessionId, "--data-dir", made.dataDirectory]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = new Promise<NodeJS.Signals | number | null>((resolve) =>
    child.once("exit", (code, by) => resolve(by ?? code)),
  );
  await new Promise<void>((resolve) => child.stdout.once("readable", () => resolve())); // it has begun; nothing is taken
  child.kill("SIGTERM");
  expect(["SIGTERM", 130]).toContain(await exited);
}, 30_000);

test("a transcript that claims a terabyte is found changed without being read", async () => {
  const { dataDirectory } = await record();
  truncateSync(join(dataDirectory, "audit", "transcripts", `${sessionId}.cast`), 2 ** 40);
  const { stdout, status } = await pep(["audit", "verify", "--data-dir", dataDirectory]);
  expect(stdout).toContain(`${sessionId}.cast was changed after it was closed`);
  expect(status).toBe(1);
}, 30_000);
