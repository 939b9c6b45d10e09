import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { root, run } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { edit } from "./record.ts";
import { writeManyEvents } from "./many-events.ts";

test("the bench for a million events runs, on few", async () => {
  const { stdout, stderr, status } = await run(process.execPath, [join(root, "test/bench/verify-record.ts"), "3000"]);
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ events: 3000, problems: 0 });
});

test("the bench of reviews runs, on few, and each finds what is there", async () => {
  const { stdout, stderr, status } = await run(process.execPath, [join(root, "test/bench/review-record.ts"), "3000"]);
  expect(status, stderr).toBe(0);
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(({ review, rows: count }) => [review, count]);
  expect(rows).toEqual([
    ["Get-Session", 600],
    ["Get-Session -KeyId", 1],
    ["Get-Session -Since", 61],
    ["Get-AuditEvent", 3000],
    ["Get-AuditEvent -SessionId", 5],
    ["Get-AuditEvent -Last", 100],
    ["Test-AuditLog", 3000],
    ["Export-AuditLog (bytes)", expect.any(Number)],
  ]);
});

test("in a large record the one bad line is named", () => {
  const dataDirectory = temporaryDirectory();
  writeManyEvents(dataDirectory, 20_000);
  edit(join(dataDirectory, "audit", "log", "000000000001.ndjson"), (text) =>
    text.replace('{"seq":12345,', '{"seq":12345;'),
  );
  const { problems } = verifyRecord({ dataDirectory, publicKey: undefined, sinceCheckpoint: undefined });
  expect(problems[0]).toBe("audit/log/000000000001.ndjson line 12345 is not an event");
});
