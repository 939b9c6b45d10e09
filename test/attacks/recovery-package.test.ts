/*
 * ATTACK  Take recovery packages past what guards recovery keys: with a role that may show keys, with a record that can't be written, more
 *         of them than an hour's limit, of a computer outside a rule, on a screen that is recorded, by putting another key's into its place.
 * DANGER  A package opens its volume with the password of its key: a thief of both needs no other, and nobody knows that it left.
 * EXPECT  The command is there for those whose role names it. No package is taken from the site before its disclosure is durable, and the
 *         event says that it was a package. Limits and rules hold as for keys. A package opens for its own key alone.
 */
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import type { Delivery } from "../../server/session/delivery.ts";
import { limitsOf } from "../harness/limits.ts";
import { shippedRoles, verdictOn } from "../harness/shipped-verdict.ts";
import { guid } from "../site-database/fixture.ts";
import { database, packageOf, runLine, site, types, withForty } from "../session/invoke-stage.ts";

withForty();

const lineFor = (number: number): string => `Get-RecoveryPackage ${guid(`key ${number}`)}`;

/** What a client got, as bytes. */
const receiving = (): { readonly delivery: Partial<Delivery>; readonly received: () => Buffer } => {
  const chunks: Uint8Array[] = [];
  return {
    received: () => Buffer.concat(chunks),
    delivery: {
      show: async (answer) => {
        if (answer.kind === "bytes") for await (const chunk of answer.chunks) chunks.push(chunk);
        return {};
      },
    },
  };
};

const rolesWith = (entry: object): string =>
  JSON.stringify({
    roleCapabilities: { one: { visibleCommands: [{ name: "Get-RecoveryPackage", ...entry }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["one"] } },
  });

const marked = (): unknown[] =>
  site.look("SELECT RecoveryKeyId FROM RecoveryAndHardwareCore_Keys WHERE Disclosed = 1").flat();

/** The real site, and what was taken from it. */
const watched = (): { readonly siteDatabase: SiteDatabase; readonly taken: string[] } => {
  const taken: string[] = [];
  return {
    taken,
    siteDatabase: {
      ...database,
      takeRecoveryPackage: (passwordId, reason, signal) => {
        taken.push(passwordId);
        return database.takeRecoveryPackage(passwordId, reason, signal);
      },
    },
  };
};

test("of the shipped roles exporter alone has it; for the others it was never written", () => {
  const roles = shippedRoles();
  expect(verdictOn(roles, "exporter", lineFor(2))).toBe("exporter");
  for (const user of ["support", "requester", "certadmin", "approver", "auditor", "guest"]) {
    for (const rest of ["", ` ${guid("key 2")}`, " -ComputerName PC-2 -Base64", " -?"])
      expect(verdictOn(roles, user, `Get-RecoveryPackage${rest}`)).toEqual(verdictOn(roles, user, `No-Such${rest}`));
    expect(JSON.stringify(roles.commandsFor(user).descriptions)).not.toContain("RecoveryPackage");
  }
});

test("the disclosure of a package is durable before it is taken, and says what it is", async () => {
  const { delivery, received } = receiving();
  const { siteDatabase, taken } = watched();
  const whenTaken: number[] = [];
  const { outcome, events } = await runLine(`${lineFor(2)} -Reason "Other"`, {
    delivery,
    siteDatabase,
    failing: (event) => {
      if (event.type === "disclosure") whenTaken.push(taken.length);
      return false;
    },
  });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: 1 });
  expect(received().equals(packageOf(2))).toBe(true);
  expect(types(events)).toEqual(["command-started", "disclosure", "command-finished"]);
  expect(events[1]).toMatchObject({
    what: "recovery-package",
    reason: "Other",
    keys: [{ keyId: guid("key 2"), computerName: "PC-2" }],
  });
  expect([whenTaken, taken]).toEqual([[0], [guid("key 2")]]);
  expect(marked()).toContain(guid("key 2"));
  // The record says whose it is and how many bytes left, and nothing of what is in it.
  const record = JSON.stringify(events);
  for (const form of ["latin1", "base64", "hex"] as const)
    expect(record).not.toContain(packageOf(2).toString(form).slice(0, 16));
});

test.each(["command-started", "disclosure"] as const)(
  "when %s can't be recorded nothing is taken, marked or sent",
  async (type) => {
    const { delivery, received } = receiving();
    const { siteDatabase, taken } = watched();
    const failing = (event: AuditEvent): boolean => event.type === type;
    const { outcome } = await runLine(lineFor(4), { delivery, siteDatabase, failing });
    expect(outcome).toMatchObject({ exitStatus: 254, rowCount: 0, failure: { category: "AuditUnavailable" } });
    expect([taken, received().length]).toEqual([[], 0]);
    expect(marked()).not.toContain(guid("key 4"));
  },
);

test("packages count as keys do within an hour", async () => {
  const roles = rolesWith({ disclosuresPerHour: 2 });
  const limits = limitsOf();
  const { siteDatabase, taken } = watched();
  const statuses: number[] = [];
  for (const number of [6, 8, 6, 10]) {
    const { delivery } = receiving();
    statuses.push((await runLine(lineFor(number), { roles, limits, delivery, siteDatabase })).outcome.exitStatus);
  }
  expect(statuses).toEqual([0, 0, 0, 5]);
  expect(taken).not.toContain(guid("key 10"));
  expect(marked()).not.toContain(guid("key 10"));
});

test("a key outside a role's rule has no package, in the words for a key that is not there", async () => {
  const parameters = ["RecoveryKeyId", { name: "ComputerName", validatePattern: "PC-[0-4]" }];
  const { siteDatabase, taken } = watched();
  const answers = await Promise.all(
    [guid("key 12"), guid("nobody's")].map(async (id) => {
      const { outcome, events } = await runLine(`Get-RecoveryPackage ${id}`, {
        roles: rolesWith({ parameters }),
        siteDatabase,
      });
      expect(types(events)).not.toContain("disclosure");
      return JSON.stringify(outcome).replaceAll(id, "ID");
    }),
  );
  expect(answers[0]).toContain("ObjectNotFound");
  expect(answers[0]).toBe(answers[1]);
  expect(taken).toEqual([]);
});

test("a screen and plain lines are refused before anything is looked for", async () => {
  for (const how of ["interactive", "line"] as const) {
    const { siteDatabase, taken } = watched();
    const { outcome, events } = await runLine(lineFor(14), { siteDatabase, delivery: { how } });
    expect(outcome.failure).toEqual({
      category: "InvalidArgument",
      message: expect.stringContaining('ssh HOST "Get-RecoveryPackage KEYID" > package.kp'),
    });
    expect(types(events)).not.toContain("disclosure");
    expect(taken).toEqual([]);
  }
});

test("a package in another key's place opens for neither, and is never taken for missing", async () => {
  const table = "RecoveryAndHardwareCore_Packages";
  const keyRow = `(SELECT Id FROM RecoveryAndHardwareCore_Keys WHERE RecoveryKeyId = '${guid("key 16")}')`;
  const otherRow = `(SELECT Id FROM RecoveryAndHardwareCore_Keys WHERE RecoveryKeyId = '${guid("key 18")}')`;
  const cell = `(SELECT RecoveryPackage FROM ${table} WHERE KeyId = ${otherRow})`;
  site.tamper(`UPDATE ${table} SET RecoveryPackage = ${cell} WHERE KeyId = ${keyRow}`);
  const { delivery, received } = receiving();
  const swapped = await runLine(lineFor(16), { delivery });
  expect(swapped.outcome.failure).toMatchObject({
    category: "ResourceUnavailable",
    message: "Stored recovery data could not be read; the log says which.",
  });
  site.tamper(`UPDATE ${table} SET KeyId = ${keyRow} WHERE KeyId = ${otherRow}`);
  expect((await runLine(lineFor(16), { delivery })).outcome.exitStatus).toBe(7);
  expect(received().length).toBe(0);
  expect(marked()).not.toContain(guid("key 16"));
});
