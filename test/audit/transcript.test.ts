import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { transcriptsIn } from "../../server/audit/transcript.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const header = { sessionId: "S-1", columns: 80, rows: 24, term: "xterm-256color" };

const castLines = (directory: string): unknown[] =>
  readFileSync(join(directory, "S-1.cast"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a transcript is an asciicast v3 whose digest is that of its file", async () => {
  const directory = temporaryDirectory();
  let clock = 1000;
  const transcript = await transcriptsIn(directory, { now: () => new Date(1_700_000_000_000), clockMs: () => clock })(
    header,
  );
  clock += 248;
  await transcript.output("Hello\r\n");
  clock += 1000;
  await transcript.resize(90, 30);
  await transcript.marker("Get-RecoveryKeys");
  clock += 2;
  const { transcriptDigest: digest, transcriptBytes } = await transcript.close(0);
  expect(castLines(directory)).toEqual([
    { version: 3, term: { cols: 80, rows: 24, type: "xterm-256color" }, timestamp: 1_700_000_000, title: "S-1" },
    [0.248, "o", "Hello\r\n"],
    [1, "r", "90x30"],
    [0, "m", "Get-RecoveryKeys"],
    [0.002, "x", "0"],
  ]);
  expect(transcriptBytes).toBe(statSync(join(directory, "S-1.cast")).size);
  expect(digest).toBe(
    createHash("sha256")
      .update(readFileSync(join(directory, "S-1.cast")))
      .digest("hex"),
  );
  expect(statSync(join(directory, "S-1.cast")).mode & 0o777).toBe(0o600);
});

test("rounding errors of the intervals don't add up", async () => {
  const directory = temporaryDirectory();
  let clock = 0.3;
  const transcript = await transcriptsIn(directory, { now: () => new Date(), clockMs: () => clock })(header);
  for (let index = 0; index < 1000; index += 1) {
    clock += 0.4;
    await transcript.output("x");
  }
  await transcript.close(0);
  const total = castLines(directory)
    .slice(1)
    .reduce<number>((sum, event) => sum + (Array.isArray(event) ? Number(event[0]) : 0), 0);
  expect(Math.abs(total * 1000 - 400)).toBeLessThanOrEqual(1);
});

test("a transcript that can't be opened is an AuditUnavailable error", async () => {
  const directory = temporaryDirectory();
  const open = transcriptsIn(directory, { now: () => new Date(), clockMs: () => 0 });
  const first = await open(header);
  await first.close(0);
  await expect(open(header)).rejects.toMatchObject({ category: "AuditUnavailable" });
});

test("after one write failed nothing more is taken", async () => {
  const directory = temporaryDirectory();
  const transcript = await transcriptsIn(directory, { now: () => new Date(), clockMs: () => 0 })(header);
  await transcript.close(0);
  await expect(transcript.output("late")).rejects.toMatchObject({ category: "AuditUnavailable" });
  await expect(transcript.output("later")).rejects.toMatchObject({ category: "AuditUnavailable" });
});

test("a transcript that reaches its limit takes no more, says so, and still closes with a digest", async () => {
  const directory = temporaryDirectory();
  const options = { now: () => new Date(), clockMs: () => 0, limitBytes: 1024 * 1024 };
  const transcript = await transcriptsIn(directory, options)(header);
  const block = "x".repeat(64 * 1024);
  const writeForever = async (): Promise<void> => {
    for (;;) await transcript.output(block);
  };
  await expect(writeForever()).rejects.toMatchObject({
    category: "LimitsExceeded",
    message: "This session's transcript has reached its limit of 1 MiB, so the session ends. Log in again to go on.",
  });
  await expect(transcript.marker("later")).rejects.toMatchObject({ category: "LimitsExceeded" });
  const { transcriptDigest: digest } = await transcript.close(5);
  expect(castLines(directory).slice(-2)).toEqual([
    [0, "m", "ended: the transcript reached its limit"],
    [0, "x", "5"],
  ]);
  const file = readFileSync(join(directory, "S-1.cast"));
  expect(file.length).toBeLessThan(1024 * 1024 + 70_000);
  expect(digest).toBe(createHash("sha256").update(file).digest("hex"));
});

test("a transcript that is discarded leaves no file", async () => {
  const directory = temporaryDirectory();
  const transcript = await transcriptsIn(directory, { now: () => new Date(), clockMs: () => 0 })(header);
  await transcript.discard();
  expect(readdirSync(directory)).toEqual([]);
});
