/*
 * ATTACK: someone can write the database file, but does not hold the master key. They change, move, swap or replace encrypted
 *   cells, put plain text in their place, or move key copies between principals.
 * DANGER: a support engineer reads a recovery key to a caller that belongs to another computer, or a key of the attacker's
 *   making; or an empty value passes for "this computer has no key".
 * EXPECT: every such row is an error of the whole answer. Never another key, never null, never a shorter answer.
 */
import { describe, expect, test, onTestFinished } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import {
  collect,
  createSiteMaker,
  guid,
  neverStopped,
  passwordOf,
  passwordRecord,
  textOf,
  waysToRead,
} from "../site-database/fixture.ts";
import { madeSites } from "../site-database/made-sites.ts";
import type { TestSite } from "../site-database/fixture.ts";

const keys = "RecoveryAndHardwareCore_Keys";

const newSite = madeSites();

const siteWithKeys = async (): Promise<TestSite> => {
  const site = await newSite();
  await site.importRecords([
    passwordRecord(1, { recoveryPackage: Uint8Array.from(Buffer.from(passwordOf(9))) }),
    passwordRecord(2),
  ]);
  return site;
};

const cellOf = (site: TestSite, column: string, table: string, id: number): Uint8Array => {
  const value = site.look(`SELECT ${column} FROM ${table} WHERE Id = ${id}`)[0]?.[0];
  if (!(value instanceof Uint8Array)) throw new Error("no such cell");
  return value;
};

const isUnreadable = {
  category: "ResourceUnavailable",
  message: "Stored recovery data could not be read; the log says which.",
};

/** The row itself is not what an import wrote, so no key of the site is shown. */
const isChanged = {
  category: "ResourceUnavailable",
  message:
    "The site database is not the one that the record knows, so no key is shown. An administrator runs: pep doctor",
};

/** The failure, so that what it says to the user and to the log can be looked at. */
const failureOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.each(waysToRead)("the rows, read %s", (_where, options) => {
  const attacks: readonly [string, (site: TestSite) => void, { readonly message: string }?][] = [
    [
      "a cell copied over another row's",
      (site) =>
        site.tamper(`UPDATE ${keys} SET RecoveryKey = (SELECT RecoveryKey FROM ${keys} WHERE Id = 2) WHERE Id = 1`),
    ],
    [
      "the key ids of two rows swapped",
      (site) => {
        site.tamper(`UPDATE ${keys} SET RecoveryKeyId = 'x' WHERE Id = 1`);
        site.tamper(`UPDATE ${keys} SET RecoveryKeyId = '${guid("key 1")}' WHERE RecoveryKeyId = '${guid("key 2")}'`);
        site.tamper(`UPDATE ${keys} SET RecoveryKeyId = '${guid("key 2")}' WHERE Id = 1`);
      },
      isChanged,
    ],
    [
      "a row given another id",
      (site) => site.tamper(`UPDATE ${keys} SET Id = 77 WHERE RecoveryKeyId = '${guid("key 1")}'`),
      isChanged,
    ],
    [
      // Same key id, and the key's row moved to the package's row id: only table and column are left to tell them apart.
      "a recovery package's cell put in the place of a key's",
      (site) => {
        const cell = cellOf(site, "RecoveryPackage", "RecoveryAndHardwareCore_Packages", 2);
        site.tamper(`UPDATE ${keys} SET Id = 2, RecoveryKey = ? WHERE RecoveryKeyId = '${guid("key 1")}'`, cell);
      },
      isChanged,
    ],
    [
      "a well-formed password in plain text",
      (site) => site.tamper(`UPDATE ${keys} SET RecoveryKey = '${passwordOf(5)}' WHERE Id = 1`),
    ],
    ["some other text", (site) => site.tamper(`UPDATE ${keys} SET RecoveryKey = 'call 555-0100' WHERE Id = 1`)],
    ["nothing at all", (site) => site.tamper(`UPDATE ${keys} SET RecoveryKey = NULL WHERE Id = 1`)],
    ["a number", (site) => site.tamper(`UPDATE ${keys} SET RecoveryKey = 42 WHERE Id = 1`)],
    ["an empty cell", (site) => site.tamper(`UPDATE ${keys} SET RecoveryKey = x'' WHERE Id = 1`)],
    [
      "a cell cut short",
      (site) =>
        site.tamper(
          `UPDATE ${keys} SET RecoveryKey = ? WHERE Id = 1`,
          cellOf(site, "RecoveryKey", keys, 1).slice(0, 40),
        ),
    ],
  ];

  test.each(attacks)("%s is an error, not a value and not a gap", async (_name, attack, refusal = isUnreadable) => {
    const site = await siteWithKeys();
    attack(site);
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject(refusal);
  });

  test("one changed bit anywhere in a cell is an error", async () => {
    const site = await siteWithKeys();
    const database = await site.open(options);
    const cell = cellOf(site, "RecoveryKey", keys, 1);
    // Each attempt is a new thread there: version, nonce, text and tag are all among these.
    const step = options === waysToRead[0][1] ? 1 : 11;
    for (let i = 0; i < cell.length; i += step) {
      const changed = Uint8Array.from(cell, (byte, at) => (at === i ? byte ^ 1 : byte));
      site.tamper(`UPDATE ${keys} SET RecoveryKey = ? WHERE Id = 1`, changed);
      const query = { passwordIds: [guid("key 1")] };
      await expect(collect(database.readRecoveryKeys(query, neverStopped)), `byte ${i}`).rejects.toMatchObject(
        isUnreadable,
      );
    }
    site.tamper(`UPDATE ${keys} SET RecoveryKey = ? WHERE Id = 1`, cell);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
  });

  test("the log is told the row, and neither log nor user is told a key", async () => {
    const site = await siteWithKeys();
    site.tamper(`UPDATE ${keys} SET RecoveryKey = '${passwordOf(5)}' WHERE Id = 1`);
    const database = await site.open(options);
    const error = await failureOf(collect(database.readRecoveryKeys({}, neverStopped)));
    if (!(error instanceof EndpointError)) throw new Error("no EndpointError");
    expect(String(error.cause)).toContain("row 1");
    expect(`${error.message} ${String(error.cause)} ${error.stack}`).not.toContain(passwordOf(5));
  });

  test.each([
    ["a time that no calendar has", "LastUpdateTime = 9007199254740991"],
    ["a time that is no number JavaScript can hold", "LastUpdateTime = 9223372036854775807"],
  ])("%s is an error of ours, not a crash", async (_name, change) => {
    const site = await siteWithKeys();
    site.tamper(`UPDATE ${keys} SET ${change} WHERE Id = 1`);
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });
});

describe.each(waysToRead)("the permissions, read %s", (_where, options) => {
  test("a right taken away stops the next batch of a running answer", async () => {
    const site = await newSite();
    await site.importRecords(Array.from({ length: 1000 }, (_, number) => passwordRecord(number)));
    const database = await site.open(options);
    const read = async (): Promise<void> => {
      for await (const batch of database.readRecoveryKeys({}, neverStopped)) {
        expect(batch.length).toBeLessThan(1000);
        site.tamper("DELETE FROM sys_database_permissions WHERE grantee_principal_id = 2");
      }
    };
    const error = await failureOf(read());
    expect(error).toMatchObject({ category: "ResourceUnavailable" });
    expect(error instanceof Error && String(error.cause)).toContain("RecoveryAndHardwareRead");
  });

  test("without the writer's right a key can be looked at but not disclosed", async () => {
    const site = await siteWithKeys();
    const database = await site.open(options);
    site.tamper("DELETE FROM sys_database_permissions WHERE grantee_principal_id = 3");
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
    const error = await failureOf(database.markDisclosed([guid("key 1")], "x", neverStopped));
    expect(error instanceof Error && String(error.cause)).toContain("RecoveryAndHardwareWrite");
    expect(site.look(`SELECT sum(Disclosed) FROM ${keys}`)).toEqual([[0]]);
  });

  test("a right that is back works again", async () => {
    const site = await siteWithKeys();
    const database = await site.open(options);
    site.tamper("UPDATE sys_database_permissions SET state = 'D' WHERE grantee_principal_id = 2");
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toThrow("permission");
    site.tamper("UPDATE sys_database_permissions SET state = 'G' WHERE grantee_principal_id = 2");
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
  });

  test("a changed key copy is noticed by a server that has used the right one already", async () => {
    const site = await siteWithKeys();
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(2);
    site.tamper("UPDATE sys_database_permissions SET private_key = zeroblob(1800) WHERE grantee_principal_id = 2");
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });

  test("another principal's copy of the private key is of no use in the reader's row", async () => {
    const site = await siteWithKeys();
    site.tamper(
      `UPDATE sys_database_permissions SET private_key =
         (SELECT private_key FROM sys_database_permissions WHERE grantee_principal_id = 3) WHERE grantee_principal_id = 2`,
    );
    const database = await site.open(options);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
    });
  });

  test("a whole certificate of the attacker's own making does not replace the site's", async () => {
    const theirs = await createSiteMaker();
    try {
      const [site, other] = [await siteWithKeys(), await theirs.make()];
      onTestFinished(() => other.dispose());
      for (const [table, column, where] of [
        ["sys_certificates", "certificate", "certificate_id = 1"],
        ["sys_certificates", "private_key", "certificate_id = 1"],
        ["sys_database_permissions", "private_key", "grantee_principal_id = 2"],
        ["sys_database_permissions", "private_key", "grantee_principal_id = 3"],
        ["data_keys", "wrapped_key", "data_key_id = 1"],
      ] as const) {
        const value = other.look(`SELECT ${column} FROM ${table} WHERE ${where}`)[0]?.[0];
        if (!(value instanceof Uint8Array)) throw new Error("no value");
        site.tamper(`UPDATE ${table} SET ${column} = ? WHERE ${where}`, value);
      }
      const database = await site.open(options);
      await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
      await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({ valid: false });
    } finally {
      await theirs.dispose();
    }
  });
});

describe("text from the database", () => {
  test("comes out as it is, whatever it is: making it printable is the delivery's work", async () => {
    const names = [
      "\u001b]0;owned\u0007",
      "a'; DROP TABLE RecoveryAndHardwareCore_Keys; --",
      "\u{F0000}",
      "x\u0000y",
      "‮",
    ];
    const site = await newSite();
    await site.importRecords(names.map((computerName, number) => passwordRecord(number, { computerName })));
    const database = await site.open();
    for (const [number, name] of names.entries()) {
      const [key] = await collect(database.readRecoveryKeys({ computerNames: [name] }, neverStopped));
      expect(key?.computerName).toBe(name);
      expect(textOf(key)).toBe(passwordOf(number));
    }
  });
});
