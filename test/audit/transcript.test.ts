import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
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
  const transcript = await transcriptsIn(
    directory,
    () => new Date(1_700_000_000_000),
    () => clock,
  )(header);
  clock += 248;
  await transcript.output("Hello\r\n");
  clock += 1000;
  await transcript.resize(90, 30);
  await transcript.marker("Get-RecoveryKeys");
  clock += 2;
  const digest = await transcript.close(0);
  expect(castLines(directory)).toEqual([
    { version: 3, term: { cols: 80, rows: 24, type: "xterm-256color" }, timestamp: 1_700_000_000, title: "S-1" },
    [0.248, "o", "Hello\r\n"],
    [1, "r", "90x30"],
    [0, "m", "Get-RecoveryKeys"],
    [0.002, "x", "0"],
  ]);
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
  const transcript = await transcriptsIn(
    directory,
    () => new Date(),
    () => clock,
  )(header);
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
  const open = transcriptsIn(
    directory,
    () => new Date(),
    () => 0,
  );
  const first = await open(header);
  await first.close(0);
  await expect(open(header)).rejects.toMatchObject({ category: "AuditUnavailable" });
});

test("after one write failed nothing more is taken", async () => {
  const directory = temporaryDirectory();
  const transcript = await transcriptsIn(
    directory,
    () => new Date(),
    () => 0,
  )(header);
  await transcript.close(0);
  await expect(transcript.output("late")).rejects.toMatchObject({ category: "AuditUnavailable" });
  await expect(transcript.output("later")).rejects.toMatchObject({ category: "AuditUnavailable" });
});
