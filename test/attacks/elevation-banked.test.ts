/*
 * ATTACK  Keep as many commands running as a user may have, never read their output, and use an approval up behind them. It
 *         waits in the queue, used and so never expired, for as long as its requester likes; then let one of the others end.
 * DANGER  What another person allowed for a quarter of an hour is done in the night, when nobody looks.
 * EXPECT  An approval is used up when its command's turn has come: whoever waits longer than it lasts has to ask again.
 */
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { createStage, rolesText } from "../harness/elevation-stage.ts";
import { limitsOf } from "../harness/limits.ts";

const line = "Get-RecoveryKeys -raw -Format ndjson";
const oneAtATime = (): ReturnType<typeof limitsOf> => {
  const { session } = decodeRoles(rolesText(), commands);
  return limitsOf({ session: { ...session, commandsPerUser: 1 } });
};
const usesOf = (events: readonly { readonly type: string }[]): number =>
  events.filter((event) => "state" in event && event.state === "consumed").length;

test("an approval that waits behind other commands runs out as any other", async () => {
  const stage = await createStage();
  const limits = oneAtATime();
  const id = await stage.ask("alice", line);
  await stage.approve(id);
  const other = await limits.turns.take(
    { connectedUser: "alice", keyFingerprint: "SHA256:alice" },
    new AbortController().signal,
  );
  let told = "";
  const waiting = stage.run("alice", `${line} -RequestId ${id}`, {
    limits,
    delivery: { tell: async (text) => void (told += text) },
  });
  await expect.poll(() => told, { timeout: 10_000 }).toContain("Waiting");
  expect(usesOf(stage.events())).toBe(0);
  stage.pass(16 * 60_000);
  other.end();
  expect(await waiting).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
  expect(stage.events().filter(({ type }) => type === "disclosure")).toEqual([]);
});

test("who gives up in the queue still has the approval, and it runs when its turn has come in time", async () => {
  const stage = await createStage();
  const limits = oneAtATime();
  const id = await stage.ask("alice", line);
  await stage.approve(id);
  const other = await limits.turns.take(
    { connectedUser: "alice", keyFingerprint: "SHA256:alice" },
    new AbortController().signal,
  );
  const stop = new AbortController();
  const given = stage.run("alice", `${line} -RequestId ${id}`, { limits, signal: stop.signal });
  stop.abort();
  expect((await given).outcome.exitStatus).toBe(130);
  expect(usesOf(stage.events())).toBe(0);
  const again = stage.run("alice", `${line} -RequestId ${id}`, { limits });
  other.end();
  expect((await again).outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
  expect(usesOf(stage.events())).toBe(1);
});

test("waiting for a decision takes nobody's turn", async () => {
  const stage = await createStage();
  const limits = oneAtATime();
  let told = "";
  const waiting = stage.run("alice", `${line} -Wait`, {
    limits,
    delivery: { tell: async (text) => void (told += text) },
  });
  await expect.poll(() => told).toContain("Waiting for another person");
  expect((await stage.run("alice", "Get-Elevation -Format ndjson", { limits })).outcome.exitStatus).toBe(0);
  await stage.approve(/E-[0-9A-F]{10}/.exec(told)?.[0] ?? "");
  expect((await waiting).outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
});
