/*
 * ATTACK: an operator reads what others did; an auditor runs what an operator may; someone who may look at their own sessions
 *         only looks at another's, by name, by id, by a list, or through a pipe.
 * DANGER: the record tells an attacker who is slow, who is away and which keys went where; and a reviewer who can also act
 *         reviews themselves.
 * EXPECT: what a role doesn't grant is answered as a command that was never written, and a narrowed role stays narrow.
 */
import { expect, test } from "vitest";
import { createReviewStage, rowsIn, sessionEvents } from "../harness/review-stage.ts";

const reviewing = [
  "Get-Session -User exporter",
  "Get-Session S-0123456789abcdef",
  "get-auditevent -Follow",
  "Get-AuditEvent -Last 5 | Measure-Object",
  "Test-AuditLog",
  "Export-AuditLog",
];

test.each(["support", "exporter", "requester", "certadmin", "approver", "guest"])(
  "%s can't review, in the words of a command that was never written",
  async (user) => {
    const stage = await createReviewStage();
    const unknown = await stage.run(user, "No-Such");
    for (const line of reviewing) {
      const ran = await stage.run(user, line);
      expect(ran, line).toEqual(unknown);
    }
    expect(stage.events().some(({ type }) => type === "review")).toBe(false);
  },
);

test("the auditor can't do what is reviewed", async () => {
  const stage = await createReviewStage();
  const unknown = await stage.run("auditor", "No-Such");
  for (const line of [
    "Get-RecoveryKeys -ComputerName PC-0001",
    "verify-cert",
    "backup-cert -Name x",
    "Get-Elevation",
  ]) {
    expect(await stage.run("auditor", line)).toEqual(unknown);
  }
});

test("a role may let an operator see their own sessions, and no others", async () => {
  const own = {
    name: "Get-Session",
    parameters: [{ name: "User", validateSet: ["support"] }, "Since", "Format"],
    requireOneOf: ["User"],
  };
  const stage = await createReviewStage({
    roles: JSON.stringify({
      roleCapabilities: { own: { visibleCommands: [own] } },
      roleDefinitions: { "user:support": { roleCapabilities: ["own"] } },
    }),
  });
  for (const event of [
    ...sessionEvents("support"),
    ...sessionEvents("exporter", { sessionId: "S-00000000000000ff" }),
  ]) {
    await stage.record.append(event);
  }
  const { shown } = await stage.run("support", "Get-Session -User SUPPORT -Format ndjson");
  expect(rowsIn(shown).map(({ User }) => User)).toEqual(["support"]);
  for (const line of [
    "Get-Session",
    "Get-Session -User exporter",
    "Get-Session -User support,exporter",
    "Get-Session S-00000000000000ff",
    "Get-Session -User support -SessionId S-00000000000000ff",
    "Get-Session -Since 7d",
  ]) {
    const refused = await stage.run("support", line);
    expect(refused.outcome.exitStatus, line).toBe(2);
    expect(refused.shown).toBe("");
  }
});

test.each(["../../log-key", "S-0000000000000000/../../../log-key", "S-000000000000000\u0000", "%2e%2e"])(
  "%j is no session",
  async (name) => {
    const stage = await createReviewStage();
    const { outcome, shown } = await stage.run("auditor", `Get-Session -SessionId '${name}'`);
    expect(outcome.exitStatus).toBe(2);
    expect(shown).toBe("");
  },
);
