/*
 * ATTACK  A thief of a key found a sheet of recovery codes and wants to know which are good still, without a trace: gives one,
 *         reads that it was used and how many are left, and hangs up before the log-in.
 * DANGER  Recovery codes are tried and used up, and the record has nothing but a log-in that was never ended.
 * EXPECT  That a recovery code was used is on the record before its giver hears of it; what can't be recorded is not told.
 */
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { openReception } from "../harness/second-factor-login.ts";
import { stageSecondFactors } from "../harness/second-factor-stage.ts";
import { message } from "../harness/ssh-attacker.ts";

const used = (event: AuditEvent): boolean => event.type === "authentication" && event.secondFactor === "recovery-code";

test("a recovery code that was used is on the record, also when its giver hangs up", async () => {
  const stage = stageSecondFactors();
  const { recoveryCodes } = await stage.enrol("support");
  const { visit, it } = await openReception(stage);
  const visitor = await visit();
  await visitor.sign();
  await visitor.ask();
  visitor.send(message.answers(recoveryCodes[0] ?? ""));
  await expect.poll(() => visitor.heardOf("USERAUTH_INFO_REQUEST").length, { timeout: 20_000 }).toBe(2);
  expect(visitor.heardOf("USERAUTH_INFO_REQUEST")[1]?.args[1]).toContain("A recovery code was used. 9 left.");
  expect(it.eventsOf("authentication").filter(used)).toMatchObject([
    { outcome: "continued", secondFactor: "recovery-code", recoveryCodesLeft: 9 },
  ]);
  visitor.socket.destroy();
  await expect.poll(() => it.eventsOf("connection-closed").length).toBe(1);
  expect(it.server.connections()).toEqual([]);
});
