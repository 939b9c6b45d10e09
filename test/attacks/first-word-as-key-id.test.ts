/*
 * ATTACK  A user whose role may name computers, and no key id, types a key id where a computer's name stands. Or the role allows some key ids
 *         only, or needs approval.
 * DANGER  The first word is looked up a second time as a key id, past what the role says of -RecoveryKeyId.
 * EXPECT  The second look is taken only where the same role entry accepts -RecoveryKeyId with this value. Its bounds hold for both.
 */
import { expect, test } from "vitest";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { createStage, idIn, rolesText } from "../harness/elevation-stage.ts";
import { runLine, withForty } from "../session/invoke-stage.ts";

withForty();

const run = async (word: string, ...entries: readonly object[]) => {
  const site = createMemorySite(makeKeys(6));
  const roles = JSON.stringify({
    roleCapabilities: Object.fromEntries(
      entries.map((entry, index) => [
        `role${index}`,
        { visibleCommands: [{ name: "Get-RecoveryKeys", parameters: ["ComputerName", "RecoveryKeyId"], ...entry }] },
      ]),
    ),
    roleDefinitions: { "user:exporter": { roleCapabilities: entries.map((_, index) => `role${index}`) } },
  });
  const { outcome, events } = await runLine(`Get-RecoveryKeys ${word}`, { roles, siteDatabase: site });
  return {
    status: outcome.exitStatus,
    disclosed: events.filter(({ type }) => type === "disclosure").length,
    askedById: site.asked.some(({ query }) => query?.passwordIds !== undefined),
  };
};
const refused = { status: 3, disclosed: 0, askedById: false };

test("a role that allows both finds the key", async () => {
  expect(await run("ABCD0002", {})).toEqual({ status: 0, disclosed: 1, askedById: true });
});

test.each([
  ["no key id", { parameters: ["ComputerName"] }],
  ["other key ids", { parameters: ["ComputerName", { name: "RecoveryKeyId", validatePattern: "ABCD0001.*" }] }],
  ["computers that are named", { requireOneOf: ["ComputerName"] }],
])("a role that allows %s has no second look", async (_, entry) => {
  expect(await run("ABCD0002", entry)).toEqual(refused);
});

test("no other entry lends it the key id", async () => {
  const byName = { parameters: ["ComputerName"] };
  expect(await run("ABCD0002", byName, { parameters: ["RecoveryKeyId"] })).toEqual(refused);
});

test("a rule on the computer holds for the word as typed, and for the computer of the key", async () => {
  const rule = (validatePattern: string) => ({
    parameters: [{ name: "ComputerName", validatePattern }, "RecoveryKeyId"],
  });
  expect(await run("ABCD0004", rule("PC-.*"))).toMatchObject({ status: 2, disclosed: 0 });
  expect(await run("ABCD0004", rule("PC-0001|[0-9A-F]{8}"))).toMatchObject({ status: 3, disclosed: 0 });
  expect(await run("ABCD0002", rule("PC-0001|[0-9A-F]{8}"))).toMatchObject({ status: 0, disclosed: 1 });
});

test("where another person approves, only what was approved is asked", async () => {
  const stage = await createStage();
  const site = createMemorySite(makeKeys(6));
  stage.setSite(site);
  stage.setRoles(rolesText({ parameters: ["ComputerName", "RecoveryKeyId"] }));
  const id = idIn((await stage.run("alice", "Get-RecoveryKeys ABCD0002")).message);
  await stage.approve(id);
  const { outcome } = await stage.run("alice", `Get-RecoveryKeys ABCD0002 -RequestId ${id}`);
  expect(outcome.exitStatus).toBe(3);
  expect(site.asked.some(({ query }) => query?.passwordIds !== undefined)).toBe(false);
});
