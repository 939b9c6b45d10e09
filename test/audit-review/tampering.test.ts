import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord, type Verification } from "../../server/audit-review/verify-record.ts";
import { copyOf, emptyRecord, openAt, recordSession, smallRecord, type MadeRecord } from "./record.ts";
import { checkpoint, firstCheckpoint, history, segment, segments } from "./tamper.ts";
import { table } from "./tampering-table.ts";

const verify = (
  { dataDirectory }: MadeRecord,
  publicKey?: MadeRecord["publicKey"],
  sinceCheckpoint?: string,
): Verification => verifyRecord({ dataDirectory, publicKey, sinceCheckpoint });

test(`the table has ${table.length} rows, no two of them alike`, () => {
  expect(new Set(table.map(([attack]) => attack)).size).toBe(table.length);
  expect(table.length).toBeGreaterThanOrEqual(40);
});

test("an untouched record holds, with and without what was kept elsewhere, and says what that is worth", async () => {
  const made = await smallRecord();
  const bare = verify(made);
  expect(bare.problems).toEqual([]);
  expect(bare.events).toBe(10);
  expect(bare.claims.join(" ")).toContain("Internal consistency only");
  const proved = verify(made, made.publicKey, firstCheckpoint(made));
  expect(proved.problems).toEqual([]);
  expect(proved.claims.join(" ")).toContain("are what the holder of the given key signed");
  expect(proved.claims.join(" ")).toContain("the first 3 events are those of the given checkpoint");
});

for (const [attack, tamper, expected] of table) {
  test(`tampering is detected: ${attack}`, async () => {
    const made = await smallRecord();
    const copy = copyOf(made);
    tamper(copy);
    expect(verify(copy).problems.join("\n")).toMatch(expected);
    expect(verify(copy).claims.join(" ")).toContain("does not hold");
    expect(verify(made).problems).toEqual([]);
  });
}

test("a changed line is looked for between two checkpoints, and the key that signed them is still trusted", async () => {
  const made = await smallRecord();
  const changed = copyOf(made);
  writeFileSync(
    segment(changed, 1),
    readFileSync(segment(changed, 1), "utf8").replace(
      /"uptimeMs":(\d)/,
      (_, digit) => `"uptimeMs":${digit === "7" ? 8 : 7}`,
    ),
  );
  expect(readFileSync(segment(changed, 1), "utf8")).not.toBe(readFileSync(segment(made, 1), "utf8"));
  const [first = "", ...more] = verify(changed, made.publicKey).problems;
  const [, from, to] = /one of the events (\d+) to (\d+) was changed/.exec(first) ?? [];
  expect(Number(from)).toBeGreaterThan(1);
  expect(Number(to)).toBeLessThanOrEqual(10);
  expect(more.join("\n")).toContain("audit/checkpoint: the first 10 events are not those");
  expect([first, ...more].join("\n")).not.toContain("not signed with a key that is trusted");
});

test("events after the last checkpoint are reported as unsigned, and are no problem", async () => {
  const made = await smallRecord();
  const line = { seq: 11, at: new Date().toISOString(), uptimeMs: 1, event: { type: "server-stopped", reason: "x" } };
  appendFileSync(segment(made, -1), `${JSON.stringify(line)}\n`);
  const { problems, notices } = verify(made);
  expect(problems).toEqual([]);
  expect(notices.join("\n")).toContain("events 11 to 11 came after the last checkpoint");
});

/*
 * ATTACK: whoever holds the machine writes the whole record anew with a key of their own, and replaces log-key.pub.
 * DANGER: it is consistent in itself, so looking at it alone can't tell.
 * EXPECT: the public key or an old checkpoint, kept elsewhere, tells.
 */
test("a record that was written anew with another key is detected with either thing kept elsewhere", async () => {
  const made = await smallRecord();
  const kept = firstCheckpoint(made);
  const forged = await smallRecord();
  expect(verify(forged).problems).toEqual([]);
  expect(verify(forged, made.publicKey).problems.join("\n")).toContain("not signed with a key that is trusted");
  expect(verify(forged, undefined, kept).problems.join("\n")).toMatch(/--since-checkpoint is of the log/);
});

/*
 * ATTACK: whoever holds the machine uses its own log key to write the record anew from some event on.
 * DANGER: the signature is the true one.
 * EXPECT: a checkpoint kept elsewhere tells.
 */
test("a record that was written anew with its own key is detected with a checkpoint kept elsewhere", async () => {
  const made = await smallRecord();
  const kept = readFileSync(checkpoint(made), "utf8");
  const copy = copyOf(made);
  const [first = ""] = readFileSync(segment(copy, 0), "utf8").split("\n");
  for (const path of segments(copy)) rmSync(path);
  for (const path of [checkpoint(copy), history(copy), join(copy.dataDirectory, "audit", "transcripts")]) {
    rmSync(path, { recursive: true });
  }
  writeFileSync(join(copy.dataDirectory, "audit", "log", "000000000001.ndjson"), `${first}\n`);
  const record = await openAt(copy);
  for (const sessionId of ["S-1", "S-2", "S-3", "S-5"]) await recordSession(record, copy.dataDirectory, sessionId);
  await record.close();
  expect(verify(copy, made.publicKey, kept).problems.join("\n")).toContain("are not those of --since-checkpoint");
});

test("a log that was set back as a whole is detected with a checkpoint kept elsewhere", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await recordSession(record, made.dataDirectory, "S-1");
  await record.checkpoint();
  const earlier = copyOf(made);
  await recordSession(record, made.dataDirectory, "S-2");
  await record.close();
  const kept = readFileSync(checkpoint(made), "utf8");
  expect(verify(earlier, made.publicKey).problems).toEqual([]);
  expect(verify(earlier, made.publicKey, kept).problems.join("\n")).toContain("--since-checkpoint covers 6");
});
