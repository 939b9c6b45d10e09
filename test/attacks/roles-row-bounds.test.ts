/*
 * ATTACK  A role names the computers that its users may see, by a pattern on -ComputerName. They leave the parameter out, or name the key by
 *         its id instead; count; take all; wait until the rule is narrowed while an answer is open; add a second role.
 * DANGER  The rule bounds the words that are typed and not what is shown: every key of the site is a key id away.
 * EXPECT  A rule on -ComputerName or -VolumeType bounds the rows, before anything is counted, marked or disclosed. What is outside is not
 *         there: the same words as for what does not exist. The rule of the entry that accepts the line counts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { startEndpoint } from "../harness/endpoint.ts";
import { createStage, idIn, rolesText } from "../harness/elevation-stage.ts";
import { makeKeys } from "../commands/memory-site.ts";
import { guid } from "../site-database/fixture.ts";
import { database, runLine, site, withForty } from "../session/invoke-stage.ts";

withForty();

/** Computers PC-0 to PC-39, one key each. */
const inside = "PC-[0-4]";
const all = [
  "ComputerName",
  "RecoveryKeyId",
  "VolumeType",
  "Since",
  "Latest",
  "Strict",
  "Reason",
  "NoRotation",
  "Format",
  "raw",
];

const rulesOn = (rules: Readonly<Record<string, object>>, more: object = {}): object => ({
  name: "Get-RecoveryKeys",
  parameters: all.map((name) => (name in rules ? { name, ...rules[name] } : name)),
  ...more,
});
const rolesWith = (...roles: readonly object[]): string =>
  JSON.stringify({
    roleCapabilities: Object.fromEntries(roles.map((entry, index) => [`role${index}`, { visibleCommands: [entry] }])),
    roleDefinitions: { "user:exporter": { roleCapabilities: roles.map((_, index) => `role${index}`) } },
  });
const bounded = rolesWith(rulesOn({ ComputerName: { validatePattern: inside } }));

const disclosed = (events: readonly AuditEvent[]): string[] =>
  events
    .flatMap((event) => (event.type === "disclosure" ? event.keys.map(({ computerName }) => computerName) : []))
    .toSorted();
const five = ["PC-0", "PC-1", "PC-2", "PC-3", "PC-4"];

test("a key id of a computer outside is answered as one that does not exist, and nothing is disclosed or marked", async () => {
  for (const more of ["", " -raw", " -NoRotation", " -Latest", " | Select-Object PasswordId", " | Measure-Object"]) {
    const [outside, nowhere] = [guid("key 7"), guid("key of nobody")];
    const answers = await Promise.all(
      [outside, nowhere].map(async (id) => {
        const { outcome, shown, events } = await runLine(`Get-RecoveryKeys -RecoveryKeyId ${id}${more}`, {
          roles: bounded,
        });
        expect(events.filter(({ type }) => type === "disclosure")).toEqual([]);
        return JSON.stringify([outcome, shown]).replaceAll(id, "ID");
      }),
    );
    expect(answers[0]).toContain("ObjectNotFound");
    expect(answers[0]).toBe(answers[1]);
  }
  const marks = site.look(
    "SELECT count(*) FROM RecoveryAndHardwareCore_Disclosures d JOIN RecoveryAndHardwareCore_Keys k ON k.Id = d.KeyId",
  );
  expect(marks[0]?.[0]).toBe(0);
});

test.each([
  ["Get-RecoveryKeys -raw", 5],
  ["Get-RecoveryKeys", 5],
  ["Get-RecoveryKeys -VolumeType OperatingSystem -NoRotation", 5],
  ["Get-RecoveryKeys -ComputerName PC-3", 1],
  [`Get-RecoveryKeys -RecoveryKeyId ${guid("key 2")},${guid("key 3")}`, 2],
])("%s shows %i rows, all of them inside", async (line, rows) => {
  const { outcome, events } = await runLine(line, { roles: bounded });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: rows });
  expect(disclosed(events).every((name) => five.includes(name))).toBe(true);
  expect(disclosed(events)).toHaveLength(rows);
});

test("one of two key ids is outside: named as one that is not there, and with -Strict the other is not shown either", async () => {
  const line = `Get-RecoveryKeys -RecoveryKeyId ${guid("key 2")},${guid("key 7")}`;
  let told = "";
  const some = await runLine(line, { roles: bounded, delivery: { tell: async (text) => void (told += text) } });
  expect([some.outcome.exitStatus, disclosed(some.events)]).toEqual([3, ["PC-2"]]);
  expect(told).toBe(`No recovery key was found for key id ${guid("key 7")}.`);
  const { outcome, events } = await runLine(`${line} -Strict`, { roles: bounded });
  expect(outcome.failure).toEqual({
    category: "ObjectNotFound",
    message: `No recovery key was found for key id ${guid("key 7")}.`,
  });
  expect(disclosed(events)).toEqual([]);
});

test.each([
  ["a pattern", { validatePattern: inside }, 5],
  ["a set", { validateSet: ["pc-1", "PC-2"] }, 2],
  ["both", { validateSet: ["PC-1", "PC-9"], validatePattern: inside }, 1],
])("counts are exact with %s, and limits hold what is inside only", async (_, rule, rows) => {
  const rules = { ComputerName: rule };
  const counted = await runLine("Get-RecoveryKeys | Measure-Object | Select-Object Count", {
    roles: rolesWith(rulesOn(rules)),
  });
  expect(counted.shown).toMatch(new RegExp(`(^|\\s)${rows}(\\s|$)`));
  const fits = await runLine("Get-RecoveryKeys -raw", { roles: rolesWith(rulesOn(rules, { maxRows: rows })) });
  expect(fits.outcome).toMatchObject({ exitStatus: 0, rowCount: rows });
  if (rows > 1) {
    const exceeds = await runLine("Get-RecoveryKeys -raw", { roles: rolesWith(rulesOn(rules, { maxRows: rows - 1 })) });
    expect(exceeds.outcome).toMatchObject({ exitStatus: 5, rowCount: 0 });
  }
});

test("a rule on -VolumeType bounds the rows too", async () => {
  const roles = rolesWith(rulesOn({ VolumeType: { validateSet: ["FixedData", "Removable"] } }));
  const { outcome } = await runLine(`Get-RecoveryKeys -RecoveryKeyId ${guid("key 2")}`, { roles });
  expect(outcome.failure?.category).toBe("ObjectNotFound");
  expect((await runLine("Get-RecoveryKeys -raw", { roles })).outcome).toMatchObject({ exitStatus: 0, rowCount: 0 });
});

test("the entry that accepts the line counts, and no entry lends another its rows", async () => {
  const narrow = rulesOn({ ComputerName: { validatePattern: inside } });
  const other = {
    ...rulesOn({ ComputerName: { validatePattern: "PC-[5-9]" } }),
    parameters: [{ name: "ComputerName", validatePattern: "PC-[5-9]" }, "Latest"],
  };
  const roles = rolesWith(narrow, other);
  const third = await runLine("Get-RecoveryKeys -ComputerName PC-7", { roles });
  expect(disclosed(third.events)).toEqual(["PC-7"]);
  const unnamed = await runLine("Get-RecoveryKeys", { roles });
  expect(disclosed(unnamed.events)).toEqual(five);
  const mixed = await runLine(`Get-RecoveryKeys -RecoveryKeyId ${guid("key 7")}`, { roles });
  expect(mixed.outcome.failure?.category).toBe("ObjectNotFound");
});

test("an entry that can't be given the parameter has no rule on it; without a rule nothing is held back", async () => {
  const roles = rolesWith({ name: "Get-RecoveryKeys", parameters: ["RecoveryKeyId", "raw"] });
  expect((await runLine("Get-RecoveryKeys -raw", { roles })).outcome.rowCount).toBe(40);
});

test("a rule that is exchanged while an answer is open ends it", async () => {
  let roles = bounded;
  const pages: number[] = [];
  const { outcome, events } = await runLine("Get-RecoveryKeys", {
    rolesNow: () => roles,
    delivery: {
      how: "interactive",
      batchRows: () => 2,
      show: async (answer) => {
        if (answer.kind !== "rows") return {};
        for await (const batch of answer.batches) {
          pages.push(batch.length);
          roles = rolesWith(rulesOn({ ComputerName: { validatePattern: "PC-[0-1]" } }));
        }
        return {};
      },
    },
  });
  expect(pages).toEqual([2]);
  expect(outcome).toMatchObject({ exitStatus: 130, failure: { message: expect.stringContaining("any longer") } });
  expect(disclosed(events)).toHaveLength(2);
});

test("an approval is for the rows that the rule had when it was asked for", async () => {
  const stage = await createStage();
  const parameters = (pattern: string) => [{ name: "ComputerName", validatePattern: pattern }, "raw"];
  stage.setKeys(makeKeys(12)); // PC-0001 to PC-0004
  stage.setRoles(rolesText({ parameters: parameters("PC-000[12]") }));
  const id = idIn((await stage.run("alice", "Get-RecoveryKeys -raw")).message);
  expect((await stage.run("dave", `Approve-Elevation ${id} -Comment ok`)).message).toContain("at most 6 rows");
  await stage.approve(id);
  stage.setRoles(rolesText({ parameters: parameters("PC-000[34]") }));
  const other = await stage.run("alice", `Get-RecoveryKeys -raw -RequestId ${id}`);
  expect(other).toMatchObject({ outcome: { exitStatus: 8 }, shown: "" });
  stage.setRoles(rolesText({ parameters: parameters("PC-000[12]") }));
  const same = await stage.run("alice", `Get-RecoveryKeys -raw -RequestId ${id}`);
  expect(same.outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
});

test("marking a key through the bounded port marks nothing outside", async () => {
  const before = site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Disclosures")[0]?.[0];
  const { boundKeys } = await import("../../server/site-database/bound-keys.ts");
  const only = boundKeys(database, { computerName: { allows: (name) => name === "PC-1" } });
  const { signal } = new AbortController();
  const idsIn = async (port: typeof database): Promise<string[]> => {
    const batches = await Array.fromAsync(port.readRecoveryKeys({}, signal));
    return batches.flat().map(({ passwordId }) => passwordId);
  };
  const inside = await idsIn(only);
  expect(inside).toHaveLength(1);
  const outside = (await idsIn(database)).filter((id) => !inside.includes(id));
  expect(outside.length).toBeGreaterThan(0);
  for (const ids of [outside, [...inside, ...outside]])
    await expect(only.markDisclosed(ids, "test", signal)).rejects.toMatchObject({ category: "ResourceUnavailable" });
  await only.markDisclosed(inside, "test", signal);
  expect(site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Disclosures")[0]?.[0]).toBe(Number(before) + 1);
});

test("as in the story, by ssh: the pattern DEMO-PC-0[1-4] keeps DEMO-PC-05's key", async () => {
  const it = await startEndpoint();
  const five = JSON.parse((await it.ssh("exporter", "Get-RecoveryKeys -ComputerName DEMO-PC-05 -raw")).stdout);
  const entry = rulesOn({ ComputerName: { validatePattern: "DEMO-PC-0[1-4]" } });
  writeFileSync(join(it.dataDirectory, "jea-roles.json"), rolesWith(entry));
  const loads = (): number => it.events().filter(({ type }) => type === "configuration-loaded").length;
  const before = loads();
  it.signal("SIGHUP");
  await expect.poll(loads).toBeGreaterThan(before + 1);
  const got = await it.ssh("exporter", `Get-RecoveryKeys -RecoveryKeyId ${five[0].PasswordId}`);
  expect(got).toMatchObject({ status: 3, stdout: "" });
  const every = JSON.parse((await it.ssh("exporter", "Get-RecoveryKeys -raw")).stdout);
  expect(every.length).toBeGreaterThan(0);
  expect(every.filter((row: { ComputerName: string }) => !/^DEMO-PC-0[1-4]$/.test(row.ComputerName))).toEqual([]);
});
