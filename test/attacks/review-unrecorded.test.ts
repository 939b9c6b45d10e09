/*
 * ATTACK: read the record without leaving a trace: while the disk is full, or as someone else through the control socket of
 *         the server, which takes the events of local commands.
 * DANGER: who reviews the reviewers finds nothing.
 * EXPECT: a review that can't be recorded shows nothing; one over SSH can be recorded by the server alone.
 */
import { expect, test } from "vitest";
import { decodeRequest } from "../../server/control/messages.ts";
import { createReviewStage, sessionEvents } from "../harness/review-stage.ts";

test.each([
  "Get-Session -Format ndjson",
  "Get-AuditEvent -Format ndjson",
  "Get-AuditEvent -Follow -Last 10",
  "Test-AuditLog",
  "Export-AuditLog",
])("%s shows nothing when the review can't be recorded", async (line) => {
  const stage = await createReviewStage({ failing: ({ type }) => type === "review" });
  for (const event of sessionEvents("alice")) await stage.record.append(event);
  const { outcome, shown, told } = await stage.run("auditor", line);
  expect(outcome.exitStatus).toBe(254);
  expect(outcome.rowCount).toBe(0);
  expect(shown + told).toBe("");
});

test.each([
  [
    "Get-Session -User alice -Since 2026-11-01",
    { action: "list", filter: { user: "alice", since: "2026-11-01T00:00:00.000Z" } },
  ],
  [
    "Get-AuditEvent -Type disclosure,review -Last 3",
    { action: "events", filter: { types: ["disclosure", "review"], last: 3 } },
  ],
  ["Get-AuditEvent -SessionId S-00000000000000ff", { action: "show", reviewedSessionId: "S-00000000000000ff" }],
  ["Test-AuditLog", { action: "verify" }],
  ["Export-AuditLog", { action: "export" }],
])("%s is on the record before its first row is read", async (line, expected) => {
  const stage = await createReviewStage();
  let recorded: unknown;
  await stage.run("auditor", line, {
    delivery: {
      show: async () => {
        recorded = stage.events().find(({ type }) => type === "review");
        return {};
      },
    },
  });
  expect(recorded).toMatchObject({ type: "review", connectedUser: "auditor", sessionId: "S-auditor", ...expected });
});

test("a local command can't put a review of a connected user on the record, nor one of nobody", () => {
  const message = (event: object): Buffer =>
    Buffer.from(JSON.stringify({ append: { type: "review", action: "list", ...event } }));
  expect(decodeRequest(message({ localUser: "root" }))).toMatchObject({ append: { localUser: "root" } });
  expect(() => decodeRequest(message({ connectedUser: "auditor" }))).toThrow(/not an event of a local command/);
  expect(() => decodeRequest(message({ connectedUser: "auditor", localUser: "root" }))).toThrow(/a review is done by/);
  expect(() => decodeRequest(message({}))).toThrow(/a review is done by/);
});
