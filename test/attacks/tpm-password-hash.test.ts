/*
 * ATTACK  Take TPM password hashes past what guards recovery keys: with a role that may show keys, with a record that can't be written, more
 *         of them than an hour's limit, of a computer outside a rule, or by putting another computer's into one's own place.
 * DANGER  With the hash a thief of the computer resets the TPM's lockout and guesses its PIN on; nobody knows that the hash left.
 * EXPECT  The command is there for those whose role names it. No hash is shown before its disclosure is durable, and the event says what it
 *         was. Limits and rules hold as for keys, each computer counted. A hash opens for its own computer alone.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { Secret } from "../../server/secret.ts";
import { limitsOf } from "../harness/limits.ts";
import { shippedRoles, verdictOn } from "../harness/shipped-verdict.ts";
import { runLine, types } from "../session/invoke-stage.ts";
import { createSiteMaker, passwordRecord, type SiteMaker, type TestSite } from "../site-database/fixture.ts";

const hashOf = (number: number): string => Buffer.alloc(20, number + 100).toString("base64");

let maker: SiteMaker;
let site: TestSite;
let siteDatabase: SiteDatabase;
beforeAll(async () => {
  maker = await createSiteMaker();
  site = await maker.make();
  await site.importRecords([
    ...Array.from({ length: 6 }, (_, number) => ({
      line: number + 1,
      computerName: `PC-${number}`,
      tpmPasswordHash: new Secret(hashOf(number)),
      lastUpdateTime: "2026-11-01T00:00:00.000Z",
    })),
    passwordRecord(0),
    passwordRecord(7),
  ]);
  siteDatabase = await site.open();
});
afterAll(async () => {
  await site.dispose();
  await maker.dispose();
});

const lineFor = (number: number): string => `Get-TpmPasswordHash PC-${number} -Format json`;

const rolesWith = (entry: object): string =>
  JSON.stringify({
    roleCapabilities: { one: { visibleCommands: [{ name: "Get-TpmPasswordHash", ...entry }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["one"] } },
  });

test("of the shipped roles exporter alone has it; for the others it was never written", () => {
  const roles = shippedRoles();
  expect(verdictOn(roles, "exporter", lineFor(2))).toBe("exporter");
  for (const user of ["support", "requester", "certadmin", "approver", "auditor", "guest"]) {
    for (const rest of ["", " PC-2", " -?"])
      expect(verdictOn(roles, user, `Get-TpmPasswordHash${rest}`)).toEqual(verdictOn(roles, user, `No-Such${rest}`));
    expect(JSON.stringify(roles.commandsFor(user).descriptions)).not.toContain("TpmPasswordHash");
  }
});

test("each is on the record as what it is before it is shown, and no key is marked", async () => {
  const { outcome, shown, events } = await runLine(`${lineFor(0)} -Reason "clear tpm"`, { siteDatabase });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: 1 });
  expect(types(events)).toEqual(["command-started", "disclosure", "command-finished"]);
  expect(events[1]).toMatchObject({
    what: "tpm-password-hash",
    reason: "Clear TPM",
    keys: [{ keyId: "TPM of PC-0", computerName: "PC-0" }],
  });
  expect(JSON.parse(shown)).toEqual([
    { ComputerName: "PC-0", TpmPasswordHash: hashOf(0), LastUpdateTime: "2026-11-01T00:00:00.000Z" },
  ]);
  expect(JSON.stringify(events)).not.toContain(hashOf(0));
  expect(site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Keys WHERE Disclosed = 1")).toEqual([[0]]);
});

test.each(["command-started", "disclosure"] as const)("when %s can't be recorded no hash is shown", async (type) => {
  const { outcome, shown } = await runLine(lineFor(1), { siteDatabase, failing: (event) => event.type === type });
  expect(outcome).toMatchObject({ exitStatus: 254, rowCount: 0, failure: { category: "AuditUnavailable" } });
  expect(shown).not.toContain(hashOf(1));
});

test("each computer's counts within an hour, and at once", async () => {
  const roles = rolesWith({ disclosuresPerHour: 2 });
  const limits = limitsOf();
  const statuses: number[] = [];
  for (const number of [0, 1, 0, 2])
    statuses.push((await runLine(lineFor(number), { roles, limits, siteDatabase })).outcome.exitStatus);
  expect(statuses).toEqual([0, 0, 0, 5]);
  const most = await runLine("Get-TpmPasswordHash PC-0,PC-1", { roles: rolesWith({ maxRows: 1 }), siteDatabase });
  expect(most.outcome.exitStatus).toBe(5);
  expect(types(most.events)).not.toContain("disclosure");
});

test("a computer outside a role's rule has none, in the words for one that is not there", async () => {
  const roles = rolesWith({ parameters: [{ name: "ComputerName", validatePattern: "PC-[01789]" }] });
  const [inside, without, absent] = await Promise.all(
    ["PC-1", "PC-7", "PC-9"].map((name) => runLine(`Get-TpmPasswordHash ${name}`, { roles, siteDatabase })),
  );
  expect(inside?.outcome.exitStatus).toBe(0);
  expect(without?.outcome.failure?.message.replace("PC-7", "X")).toBe(
    absent?.outcome.failure?.message.replace("PC-9", "X"),
  );
  const outside = await runLine("Get-TpmPasswordHash PC-3", { roles, siteDatabase });
  expect(outside.outcome.exitStatus).toBe(2);
  expect(outside.shown).not.toContain(hashOf(3));
});

test("a hash in another computer's place, or under another name, opens for neither", async () => {
  const table = "RecoveryAndHardwareCore_Tpm";
  const machine = (number: number): string =>
    `(SELECT Id FROM RecoveryAndHardwareCore_Machines WHERE Name = 'PC-${number}')`;
  const changes = [
    `UPDATE ${table} SET TpmPasswordHash = (SELECT TpmPasswordHash FROM ${table} WHERE MachineId = ${machine(5)}) WHERE MachineId = ${machine(4)}`,
    `UPDATE ${table} SET MachineId = ${machine(4)} WHERE MachineId = ${machine(5)}`,
    `UPDATE RecoveryAndHardwareCore_Machines SET Name = 'PC-0' WHERE Id = ${machine(4)}`,
  ];
  for (const change of changes) {
    const other = await maker.make();
    await other.importRecords(
      [4, 5].map((number) => ({ line: 1, computerName: `PC-${number}`, tpmPasswordHash: new Secret(hashOf(number)) })),
    );
    other.tamper(change);
    const { outcome, shown } = await runLine(lineFor(4), { siteDatabase: await other.open() });
    expect([change, outcome.exitStatus, outcome.failure?.category]).toEqual([change, 7, "ResourceUnavailable"]);
    expect(shown).not.toContain(hashOf(5));
    await other.dispose();
  }
});
