/*
 * ATTACK  Learn where the other means to open volumes are, external keys' files and recovery agents' certificates, past what guards recovery
 *         keys: with a role that may show keys, with a record that can't be written, more of them than an hour's limit, of a computer outside
 *         a rule, by the id of a key there, or by tying another computer's protector to one's own.
 * DANGER  Who knows which file or certificate opens a volume looks for that one, and nobody knows that they asked.
 * EXPECT  The parameter is there for those whose role lists it. No file name and no thumbprint is shown before its disclosure is durable, and
 *         the event says that it was a protector's. Limits and rules hold as for keys. A changed row is an error.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { limitsOf } from "../harness/limits.ts";
import { shippedRoles, verdictOn } from "../harness/shipped-verdict.ts";
import { runLine, types } from "../session/invoke-stage.ts";
import { createSiteMaker, guid, passwordRecord, type SiteMaker, type TestSite } from "../site-database/fixture.ts";

const thumbprint = "9de688607336294a52b445d30d1eb92f0bec1e78";
const fileOf = (number: number): string => `STICK-${number}.BEK`;
const volumeOf = (number: number): string => guid(`volume ${number}`);

const protectorsOf = (number: number): readonly RecoveryRecord[] => {
  const common = {
    line: 1,
    computerName: `PC-${number}`,
    volumeId: volumeOf(number),
    volumeType: "OperatingSystem",
    lastUpdateTime: "2026-11-01T00:00:00.000Z",
  } as const;
  return [
    passwordRecord(number, { volumeId: volumeOf(number) }),
    { ...common, protector: { kind: "ExternalKey", keyId: guid(`stick ${number}`), fileName: fileOf(number) } },
    {
      ...common,
      protector: { kind: "DataRecoveryAgent", keyId: guid(`agent ${number}`), certificateThumbprint: thumbprint },
    },
  ];
};

let maker: SiteMaker;
let site: TestSite;
let siteDatabase: SiteDatabase;
beforeAll(async () => {
  maker = await createSiteMaker();
  site = await maker.make();
  await site.importRecords(Array.from({ length: 6 }, (_, number) => protectorsOf(number)).flat());
  siteDatabase = await site.open();
});
afterAll(async () => {
  await site.dispose();
  await maker.dispose();
});

const lineFor = (number: number): string => `Get-RecoveryKeys PC-${number} -Protectors -Format json`;

const rolesWith = (entry: object): string =>
  JSON.stringify({
    roleCapabilities: {
      one: {
        visibleCommands: [
          { name: "Get-RecoveryKeys", parameters: ["ComputerName", "RecoveryKeyId", "Protectors", "Format"], ...entry },
        ],
      },
    },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["one"] } },
  });

const marked = (): unknown[] =>
  site.look("SELECT RecoveryKeyId FROM RecoveryAndHardwareCore_Keys WHERE Disclosed = 1").flat();

test("of the shipped roles exporter alone has it; for the others it was never written", () => {
  const roles = shippedRoles();
  const told = (user: string, line: string): unknown => {
    const verdict = verdictOn(roles, user, line);
    return typeof verdict === "string"
      ? verdict
      : verdict.map((text) => text.replaceAll(/Protectors|NoSuchThing/g, "X"));
  };
  expect(told("exporter", "Get-RecoveryKeys PC-1 -Protectors")).toBe("exporter");
  for (const user of ["support", "requester", "certadmin", "approver", "auditor", "guest"]) {
    for (const more of ["", " -Reason Other"])
      expect(told(user, `Get-RecoveryKeys PC-1 -Protectors${more}`)).toEqual(
        told(user, `Get-RecoveryKeys PC-1 -NoSuchThing${more}`),
      );
    expect(JSON.stringify(roles.commandsFor(user).descriptions)).not.toContain("Protectors");
  }
});

test("each is on the record as a protector before it is shown, and no key is shown or marked by it", async () => {
  const { outcome, shown, events } = await runLine(`${lineFor(0)} -Reason "Lost PIN"`, { siteDatabase });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: 2 });
  expect(types(events)).toEqual(["command-started", "disclosure", "command-finished"]);
  expect(events[1]).toMatchObject({
    what: "protector",
    reason: "Lost PIN",
    keys: [
      { keyId: guid("stick 0"), computerName: "PC-0" },
      { keyId: guid("agent 0"), computerName: "PC-0" },
    ],
  });
  expect(JSON.parse(shown)).toMatchObject([
    { ProtectorType: "ExternalKey", ProtectorId: guid("stick 0"), FileName: fileOf(0), Thumbprint: null },
    { ProtectorType: "DataRecoveryAgent", ProtectorId: guid("agent 0"), FileName: null, Thumbprint: thumbprint },
  ]);
  expect(shown).not.toMatch(/\d{6}-\d{6}/);
  expect(JSON.stringify(events)).not.toContain(fileOf(0));
  expect(JSON.stringify(events)).not.toContain(thumbprint);
  expect(marked()).toEqual([]);
});

test.each(["command-started", "disclosure"] as const)(
  "when %s can't be recorded no protector is shown",
  async (type) => {
    const { outcome, shown } = await runLine(lineFor(1), { siteDatabase, failing: (event) => event.type === type });
    expect(outcome).toMatchObject({ exitStatus: 254, rowCount: 0, failure: { category: "AuditUnavailable" } });
    for (const text of [fileOf(1), thumbprint]) expect(shown).not.toContain(text);
  },
);

test("what is not shown is not disclosed: listing them without file and certificate is no disclosure", async () => {
  const line = "Get-RecoveryKeys PC-1 -Protectors | Select-Object ComputerName,ProtectorId";
  const { outcome, events } = await runLine(line, { siteDatabase });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: 2 });
  expect(types(events)).not.toContain("disclosure");
});

test("protectors count as keys do, at once and within an hour", async () => {
  const roles = rolesWith({ disclosuresPerHour: 4 });
  const limits = limitsOf();
  const statuses: number[] = [];
  for (const number of [0, 1, 0, 2])
    statuses.push((await runLine(lineFor(number), { roles, limits, siteDatabase })).outcome.exitStatus);
  expect(statuses).toEqual([0, 0, 0, 5]);
  const most = await runLine(lineFor(3), { roles: rolesWith({ maxRows: 1 }), siteDatabase });
  expect(most.outcome).toMatchObject({ exitStatus: 5, rowCount: 0 });
  expect(types(most.events)).not.toContain("disclosure");
});

test("a computer outside a role's rule has none, by its name and by the ids of its keys and protectors", async () => {
  const roles = rolesWith({
    parameters: [{ name: "ComputerName", validatePattern: "PC-[0-3]" }, "RecoveryKeyId", "Protectors", "Format"],
  });
  for (const outside of [guid("key 4"), guid("stick 4"), guid("agent 4")]) {
    const [there, nowhere] = await Promise.all(
      [outside, guid("nobody's")].map(async (id) => {
        const line = `Get-RecoveryKeys -RecoveryKeyId ${id} -Protectors -Format json`;
        const { outcome, shown, events } = await runLine(line, { roles, siteDatabase });
        return JSON.stringify([outcome, shown, types(events)]).replaceAll(id, "ID");
      }),
    );
    expect(there).toContain("ObjectNotFound");
    expect(there).toBe(nowhere);
  }
  const inside = await runLine(`Get-RecoveryKeys -RecoveryKeyId ${guid("key 3")} -Protectors`, { roles, siteDatabase });
  expect(inside.outcome).toMatchObject({ exitStatus: 0, rowCount: 2 });
});

test("a protector that is tied to another volume, or passed off as another kind, is an error and is not shown", async () => {
  const keys = "RecoveryAndHardwareCore_Keys";
  const idOf = (number: number): string =>
    `(SELECT Id FROM RecoveryAndHardwareCore_Volumes WHERE VolumeGuid = '${volumeOf(number)}')`;
  for (const change of [`VolumeId = ${idOf(5)}`, "ProtectorKind = 2"]) {
    const other = await maker.make();
    await other.importRecords([...protectorsOf(4), ...protectorsOf(5)]);
    const opened = await other.open();
    other.tamper(`UPDATE ${keys} SET ${change} WHERE RecoveryKeyId = '${guid("stick 4")}'`);
    for (const number of [4, 5]) {
      const { outcome, shown } = await runLine(lineFor(number), { siteDatabase: opened });
      expect([change, outcome.exitStatus, outcome.failure?.category]).toEqual([change, 7, "ResourceUnavailable"]);
      expect(shown).not.toContain(fileOf(4));
    }
    await other.dispose();
  }
});
