import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { historyNotes, lastHistoryNote, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { newKey, openAt, smallRecord } from "../audit-review/record.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const keys = [newKey().privateKey, newKey().privateKey];
const noteAt = (size: number): string =>
  signCheckpoint({ origin: "pep-audit/0123456789abcdef", size, root: Buffer.alloc(32, size) }, keys.slice(size % 2));

test("the last checkpoint of a history is the same, read from the end or from the beginning, wherever a crash cut it off", () => {
  const path = join(temporaryDirectory(), "checkpoint-history");
  const whole = Array.from({ length: 300 }, (_, index) => noteAt(index)).join("");
  for (let bytes = whole.length; bytes > whole.length - 900; bytes -= 7) {
    writeFileSync(path, Buffer.from(whole).subarray(0, bytes));
    expect(lastHistoryNote(path)).toBe([...historyNotes(path)].at(-1));
  }
  for (const text of ["", "\n", "pep-audit/0123\n1", noteAt(1)]) {
    writeFileSync(path, text);
    expect(lastHistoryNote(path)).toBe([...historyNotes(path)].at(-1));
  }
  // What is torn may be longer than a look at the end.
  writeFileSync(path, `${noteAt(7)}${"x".repeat(70_000)}\n${"y\n".repeat(300_000)}`);
  expect(lastHistoryNote(path)).toBe(noteAt(7));
});

test("a start reads the end of the history only, however long it is", async () => {
  const made = await smallRecord();
  const path = join(made.dataDirectory, "audit", "checkpoint-history");
  const notes = readFileSync(path);
  // A hole of a tebibyte, which nobody reads through.
  truncateSync(path, 0);
  truncateSync(path, 2 ** 40);
  appendFileSync(path, Buffer.concat([Buffer.from("\n"), notes]));
  const record = await openAt(made);
  expect(record.lastSeq()).toBe(10);
  await record.close();
});
