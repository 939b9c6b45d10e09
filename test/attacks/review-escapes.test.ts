/*
 * ATTACK: a computer's name, an ssh client's own description of itself and a user name that was only claimed hold escape
 *         sequences, a right-to-left override or a line break, and wait in the record for an auditor's terminal.
 * DANGER: the auditor's screen shows another session than the one on the record, or their terminal types for them.
 * EXPECT: a terminal gets nothing but printable text, in every format; a script's JSON has the text as it was.
 */
import { expect, test } from "vitest";
import { createReviewStage, rowsIn, sessionEvents, type ReviewStage } from "../harness/review-stage.ts";

const hostile = "PC\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\r\nSession of nobody";
// Everything that a terminal could obey, and what turns text around.
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const hostileStage = async (): Promise<ReviewStage> => {
  const stage = await createReviewStage();
  await stage.record.append({ type: "connection-opened", connectionId: "C-1", clientSoftware: `SSH-2.0-${hostile}` });
  await stage.record.append({
    type: "authentication",
    claimedUser: hostile,
    outcome: "refused",
    method: "publickey",
    reason: "the key can't be accepted",
    detail: hostile,
  });
  const sessionId = "S-00000000000000ff";
  for (const event of sessionEvents("alice", { sessionId, keys: [{ keyId: "ID-1", computerName: hostile }] })) {
    await stage.record.append(event);
  }
  return stage;
};

const lines = ["Get-AuditEvent", "Get-AuditEvent -Format list", "Get-Session S-00000000000000ff", "Get-Session"];

test.each(lines)("%s, as people read it", async (line) => {
  const { shown, told } = await (await hostileStage()).run("auditor", line);
  expect(shown).toContain("alice");
  expect(shown + told).not.toMatch(obeyed);
});

test.each(["json", "ndjson", "csv"])("%s on a terminal", async (format) => {
  const stage = await hostileStage();
  for (const line of lines.filter((one) => !one.includes("-Format"))) {
    const { shown } = await stage.run("auditor", `${line} -Format ${format}`, { terminal: true });
    expect(shown).toContain("alice");
    expect(shown).not.toMatch(obeyed);
  }
});

test("a line of text doesn't become two rows, nor a field another", async () => {
  const stage = await hostileStage();
  const { shown } = await stage.run("auditor", "Get-AuditEvent -Type disclosure -Format ndjson");
  const rows = rowsIn(shown);
  expect(rows).toHaveLength(1);
  expect(JSON.parse(String(rows[0]?.["Detail"])).keys).toEqual([{ keyId: "ID-1", computerName: hostile }]);
});

test("a computer's name that holds an event makes no event and no session", async () => {
  const stage = await createReviewStage();
  const forged =
    '"},{"type":"session-started","sessionId":"S-00000000000000aa","connectedUser":"mallory","transcript":"x"}';
  for (const event of sessionEvents("alice", { keys: [{ keyId: "ID-1", computerName: forged }] })) {
    await stage.record.append(event);
  }
  expect(rowsIn((await stage.run("auditor", "Get-Session -Format ndjson")).shown).map(({ User }) => User)).toEqual([
    "alice",
  ]);
  expect((await stage.run("auditor", "Get-Session S-00000000000000aa")).outcome.exitStatus).toBe(3);
  const events = await stage.run("auditor", "Get-AuditEvent -Type session-started -Format ndjson");
  expect(rowsIn(events.shown)).toHaveLength(1);
});
