/*
 * ATTACK  A role shows a few keys at a time. Its user shapes the answer: the first three, then the next three by -Skip, the last three, the
 *         ids of all without a key, how many there are; each answer is below the limit.
 * DANGER  A limit that is held against what is left after a pipe lists the fleet, or shows it page by page.
 * EXPECT  What is shown is bounded, keys by maxRows and rows without keys by maxListed. Where the line must name a computer or an id
 *         (requireOneOf), its many keys can be shaped and counted. Where it need not, the pipe reaches no further than the limit, and no
 *         number is told.
 */
import { beforeAll, expect, test } from "vitest";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { runLine, withForty } from "../session/invoke-stage.ts";

withForty();

const rolesWith = (limits: object): string =>
  JSON.stringify({
    roleCapabilities: { few: { visibleCommands: [{ name: "Get-RecoveryKeys", ...limits }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["few"] } },
  });
const anything = rolesWith({ maxRows: 3 });
const named = rolesWith({ maxRows: 3, requireOneOf: ["ComputerName", "RecoveryKeyId"] });
const listing = rolesWith({ maxRows: 3, maxListed: 20, requireOneOf: ["ComputerName", "RecoveryKeyId"] });

/** One computer with forty keys. */
let many: SiteDatabase;
beforeAll(() => {
  many = createMemorySite(makeKeys(40).map((key) => ({ ...key, computerName: "PC-MANY" })));
});
const run = (line: string, roles: string) => runLine(line, { roles, siteDatabase: many });

test.each([
  "Get-RecoveryKeys",
  "Get-RecoveryKeys | Select-Object -Skip 3 -First 3",
  "Get-RecoveryKeys | Select-Object -First 4",
  "Get-RecoveryKeys | Select-Object -Last 1",
  "Get-RecoveryKeys | Select-Object PasswordId",
  "Get-RecoveryKeys | Select-Object PasswordId -Skip 3 -First 1",
  "Get-RecoveryKeys | Measure-Object",
  "Get-RecoveryKeys | Select-Object -First 1000 | Measure-Object",
  "Get-RecoveryKeys | Select-Object PasswordId -Skip 1 | Select-Object -First 3",
])("%s reaches no further than the limit where the line need not name anything", async (line) => {
  const { outcome, shown, events } = await run(line, anything);
  expect(outcome).toMatchObject({ exitStatus: 5, rowCount: 0 });
  expect(shown).toBe("");
  expect(outcome.failure?.message).not.toMatch(/\b(?:40|36|37)\b/);
  expect(events.filter(({ type }) => type === "disclosure")).toEqual([]);
});

test("within the limit it is answered", async () => {
  expect((await run("Get-RecoveryKeys | Select-Object -First 3", anything)).outcome).toMatchObject({ rowCount: 3 });
});

test.each([
  ["Get-RecoveryKeys PC-MANY", named],
  ["Get-RecoveryKeys PC-MANY | Select-Object -First 4", named],
  ["Get-RecoveryKeys PC-MANY | Select-Object RecoveryKey", named],
  ["Get-RecoveryKeys PC-MANY | Select-Object PasswordId", named],
  ["Get-RecoveryKeys PC-MANY | Select-Object PasswordId", listing],
  ["Get-RecoveryKeys PC-MANY | Select-Object PasswordId,RecoveryKey -First 20", listing],
])("%s is more than is shown at once", async (line, roles) => {
  const { outcome, shown } = await run(line, roles);
  expect(outcome).toMatchObject({ exitStatus: 5, rowCount: 0 });
  expect(shown).toBe("");
});

test.each([
  ["| Select-Object -First 3", named, 3],
  ["| Select-Object -Last 3", named, 3],
  ["| Select-Object -Skip 37", named, 3],
  ["| Select-Object PasswordId -First 20", listing, 20],
  ["| Measure-Object", named, 1],
])("a computer with many keys: %s", async (pipe, roles, rows) => {
  const { outcome } = await run(`Get-RecoveryKeys PC-MANY ${pipe}`, roles);
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: rows });
});

test("the refusal says how many there are, and what narrows it for this user", async () => {
  const { outcome } = await run("Get-RecoveryKeys PC-MANY", listing);
  expect(outcome.failure?.message).toBe(
    "There are 40 rows, and your role shows at most 3 keys at once (maxRows). -RecoveryKeyId, -VolumeType, -Since, -Latest " +
      "or | Select-Object -First 3 leaves fewer. Without the column RecoveryKey up to 20 are listed (maxListed).",
  );
  const fewer = rolesWith({ maxRows: 3, requireOneOf: ["ComputerName"], parameters: ["ComputerName", "Since"] });
  const { outcome: other } = await run("Get-RecoveryKeys PC-MANY -Since 2026-01-01", fewer);
  expect(other.failure?.message).toBe(
    "There are 40 rows, and your role shows at most 3 keys at once (maxRows). | Select-Object -First 3 leaves fewer.",
  );
});
