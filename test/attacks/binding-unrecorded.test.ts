/*
 * ATTACK  Send lines that end before they become a command: too many requests, one that waits and hangs up, one that waits until its time
 *         is over, one that trips over a bug.
 * DANGER  What was tried is not on the record: who looks for probing later finds nothing.
 * EXPECT  Every end of binding is a command-refused event with its reason and, once it was understood, its command; a bug with the
 *         reference that its user was told. What can't be recorded is answered as such.
 */
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import type { VisibleCommands } from "../../server/authorization/contract.ts";
import { createStage, idIn } from "../harness/elevation-stage.ts";
import type { Stage } from "../harness/elevation-stage.ts";
import { limitsOf } from "../harness/limits.ts";
import { passwordOf } from "../site-database/fixture.ts";
import { runLine, withForty } from "../session/invoke-stage.ts";

withForty();

const refusals = (events: readonly AuditEvent[]) => events.filter((event) => event.type === "command-refused");
const line = "Get-RecoveryKeys -raw";

const oneTurn = (): ReturnType<typeof limitsOf> => limitsOf({ session: { commandsPerUser: 1 } } as never);

const waitingLine = async (stage: Stage, text: string, limits = oneTurn()) => {
  const stop = new AbortController();
  const waits = Promise.withResolvers<string>();
  const ran = stage.run("alice", text, {
    signal: stop.signal,
    limits,
    delivery: { tell: async (words) => waits.resolve(words) },
  });
  return { ran, told: await waits.promise, stop };
};

test("one request too many, and one too long to be read", async () => {
  const stage = await createStage();
  for (let day = 1; day <= 20; day += 1) await stage.ask("alice", `Get-RecoveryKeys -Since ${day}d`);
  expect((await stage.run("alice", line)).outcome.exitStatus).toBe(5);
  const names = Array.from({ length: 190 }, (_, index) => `PC-${index + 1}`).join(",");
  expect((await stage.run("carol", `Get-RecoveryKeys -ComputerName ${names}`)).outcome.exitStatus).toBe(5);
  expect(refusals(stage.events()).slice(20)).toMatchObject([
    { reason: "limit", command: "Get-RecoveryKeys", connectedUser: "alice", lineLength: line.length },
    { reason: "limit", command: "Get-RecoveryKeys", connectedUser: "carol" },
  ]);
});

test("a client that hangs up while it waits for a decision, or for its turn", async () => {
  const stage = await createStage();
  const forDecision = await waitingLine(stage, `${line} -Wait`);
  forDecision.stop.abort();
  expect((await forDecision.ran).outcome.exitStatus).toBe(130);
  await stage.approve(idIn(forDecision.told));
  const limits = oneTurn();
  const other = await limits.turns.take(
    { connectedUser: "alice", keyFingerprint: "SHA256:alice" },
    new AbortController().signal,
  );
  const forTurn = await waitingLine(stage, `${line} -RequestId ${idIn(forDecision.told)}`, limits);
  forTurn.stop.abort();
  expect((await forTurn.ran).outcome.exitStatus).toBe(130);
  other.end();
  expect(refusals(stage.events())).toMatchObject([
    { reason: "stopped", command: "Get-RecoveryKeys" },
    { reason: "stopped", command: "Get-RecoveryKeys" },
  ]);
});

test("a request that is over before it was decided", async () => {
  const stage = await createStage();
  const { ran } = await waitingLine(stage, `${line} -Wait`);
  stage.pass(60 * 60_000);
  await stage.elevations().sweep();
  expect((await ran).outcome.exitStatus).toBe(6);
  expect(refusals(stage.events())).toMatchObject([{ reason: "timeout", command: "Get-RecoveryKeys" }]);
});

const fail = (): never => {
  throw new TypeError(`a bug that quotes ${passwordOf(1)}`);
};
const broken: VisibleCommands = { descriptions: [], bindLine: fail, bindIfAllowed: fail };

test("a bug, with the reference that its user was told and without what it quotes", async () => {
  const { outcome, events } = await runLine(line, { visible: broken });
  const reference = /R-[0-9A-F]{10}/.exec(outcome.failure?.message ?? "")?.[0] ?? "none";
  expect(outcome.exitStatus).toBe(70);
  expect(events).toMatchObject([
    { type: "command-refused", reason: "bug", reference, error: expect.stringContaining("TypeError: a bug") },
  ]);
  expect(JSON.stringify(events)).not.toContain(passwordOf(1));
});

test("an end that can't be recorded is answered as such", async () => {
  const { outcome, events } = await runLine(line, { visible: broken, failing: () => true });
  expect(outcome.failure?.category).toBe("AuditUnavailable");
  expect(events).toEqual([]);
});
