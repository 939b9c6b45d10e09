import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { castLinesV2 } from "../../server/audit-review/cast-v2.ts";
import { makeReceipts, verifyReceipt } from "../../server/audit-review/receipts.ts";
import { SessionsOnRecord } from "../../server/audit-review/session-view.ts";
import { streamSessions } from "../../server/audit-review/stream-sessions.ts";
import type { SessionQuery } from "../../server/command/review-port.ts";
import { planPrune } from "../../server/audit/plan-prune.ts";
import { prune, prunedEvents } from "../../server/audit/prune.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { newKey, openAt, recordSession, smallRecord, type MadeRecord } from "./record.ts";

const logOf = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "log");

const prunedBefore = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined }).prunedBefore;

const receiptsOf = (made: MadeRecord): { name: string; text: string }[] => {
  const checkpoint = readFileSync(join(made.dataDirectory, "audit", "checkpoint"), "utf8");
  return [...makeReceipts(logOf(made), checkpoint, () => true)];
};

test("a receipt proves one disclosure with nothing but the public key", async () => {
  const made = await smallRecord();
  const receipts = receiptsOf(made);
  expect(receipts).toHaveLength(3);
  const proved = receipts.map(({ text }) => verifyReceipt(text, made.publicKey));
  expect(proved.map(({ event }) => event["keys"])).toEqual(
    ["S-1", "S-2", "S-3"].map((id) => [{ keyId: `KEY-${id}`, computerName: "PC-1" }]),
  );
  expect(proved[0]).toMatchObject({ seq: 2, event: { connectedUser: "support", reason: "Lost PIN" } });
});

test("a receipt with another key, another place, another line, another path or another checkpoint proves nothing", async () => {
  const made = await smallRecord();
  const [first = "", second = ""] = receiptsOf(made).map(({ text }) => text);
  const forged = first.replace(/^extra (.*)$/m, (_, line: string) => {
    const changed = Buffer.from(line, "base64").toString().replace("support", "suspect");
    return `extra ${Buffer.from(changed).toString("base64")}`;
  });
  const otherPlace = first.replace(/^index 1$/m, "index 2");
  const otherPath = first.replace(/(^index 1\n).*$/m, `$1${Buffer.alloc(32).toString("base64")}`);
  const otherCheckpoint = first.replace("\n10\n", "\n11\n");
  for (const text of [forged, otherPlace, otherPath, otherCheckpoint]) {
    expect(text).not.toBe(first);
    expect(() => verifyReceipt(text, made.publicKey)).toThrow(
      /not in the log that was signed|does not verify|holds no event/,
    );
  }
  expect(() => verifyReceipt(first, newKey().publicKey)).toThrow("not signed with this key");
  expect(verifyReceipt(second, made.publicKey).seq).toBe(5);
});

test("after pruning the record still holds, and receipts made before and after still prove", async () => {
  const made = await smallRecord({ segmentBytes: 1 });
  const before = receiptsOf(made);
  const plan = planPrune(logOf(made), Date.now() + 1000, 10, prunedBefore(made));
  expect(plan.throughSeq).toBeGreaterThanOrEqual(3);
  const record = await openAt(made);
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  await prune(join(made.dataDirectory, "audit"), plan);
  await recordSession(record, made.dataDirectory, "S-4");
  await record.close();
  const reopened = await openAt(made);
  await reopened.close();
  const { problems, notices } = verifyRecord({ ...made, sinceCheckpoint: undefined });
  expect(problems).toEqual([]);
  expect(notices.join("\n")).toContain(`events 1 to ${plan.throughSeq} were pruned`);
  for (const { text } of before) verifyReceipt(text, made.publicKey);
  const after = receiptsOf(made).map(({ text }) => verifyReceipt(text, made.publicKey).event["sessionId"]);
  expect(after).toContain("S-4");
  expect(after).not.toContain("S-1");
});

test("nothing is pruned that is younger, unsigned, or part of a session that goes on", async () => {
  const made = await smallRecord();
  expect(planPrune(logOf(made), Date.now() - 60_000, 10, prunedBefore(made)).segments).toEqual([]);
  expect(planPrune(logOf(made), Date.now() + 1000, 2, prunedBefore(made)).segments).toEqual([]);
  const record = await openAt(made, { segmentBytes: 1 });
  await record.append({ type: "session-started", sessionId: "S-open", mode: "exec" });
  for (let index = 0; index < 3; index += 1) await record.append({ type: "server-stopped", reason: "x" });
  const plan = planPrune(logOf(made), Date.now() + 1000, 14, prunedBefore(made));
  await record.close();
  expect(plan.throughSeq).toBe(10);
});

test("sessions are found by user, time, command, key id and computer", async () => {
  const made = await smallRecord();
  const found = (query: SessionQuery): string[] =>
    [...streamSessions(logOf(made), query, Number.POSITIVE_INFINITY, () => undefined)]
      .flat()
      .map(({ sessionId }) => sessionId);
  expect(found({})).toEqual(["S-1", "S-2", "S-3"]);
  expect(found({ user: "SUPPORT" })).toHaveLength(3);
  expect(found({ user: "someone" })).toEqual([]);
  expect(found({ keyId: "key-s-2" })).toEqual(["S-2"]);
  expect(found({ computerName: "pc-1" })).toHaveLength(3);
  expect(found({ computerName: "PC-2" })).toEqual([]);
  expect(found({ command: "verify-cert" })).toEqual([]);
  expect(found({ since: new Date(Date.now() + 60_000) })).toEqual([]);
  expect(found({ until: new Date(Date.now() + 60_000) })).toHaveLength(3);
});

test("in a damaged log, a start without an id is no session, and takes no line for its own", () => {
  const sessions = new SessionsOnRecord({}, "number");
  for (const type of ["session-started", "command-refused"]) {
    sessions.take({ seq: 1, at: "2026-01-01T00:00:00.000Z", uptimeMs: 0, event: { type } });
  }
  sessions.endOfLog();
  expect(sessions.takeDone(1)).toEqual([]);
});

test("a transcript as v2 has times from its start and no exit event", async () => {
  const made = await smallRecord();
  const lines = [...castLinesV2(join(made.dataDirectory, "audit", "transcripts", "S-1.cast"))].map((line) =>
    JSON.parse(line),
  );
  expect(lines[0]).toMatchObject({ version: 2, width: 80, height: 24, env: { TERM: "xterm" } });
  expect(lines.slice(1).map(([, code]) => code)).toEqual(["o"]);
});
