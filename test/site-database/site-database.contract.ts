import { afterEach, describe, expect, test } from "vitest";
import type { ListedKey, RecoveryKeyQuery } from "../../server/command/site-database.ts";
import { revealSecret } from "../../server/secret.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import { testCertificate } from "./certificate.contract.ts";
import type { MakeSiteDatabase, SiteDatabaseUnderTest } from "./certificate.contract.ts";
import { collect, guid, neverStopped, passwordOf, passwordRecord, textOf } from "./fixture.ts";

const alphaSystem = guid("alpha system volume");
const alphaFiles = guid("alpha data volume");
const sharedVolume = guid("shared volume");

const key = { old: guid("old"), middle: guid("middle"), newest: guid("newest"), files: guid("files") };
const betaStick = {
  key: guid("stick"),
  external: guid("external"),
  agent: guid("agent"),
  volume: guid("stick volume"),
};
const sharedKey = guid("shared");
const umlautKey = guid("umlaut");

const records: readonly RecoveryRecord[] = [
  ...[key.old, key.middle, key.newest].map((keyId, index) =>
    passwordRecord(index, {
      keyId,
      computerName: "PC-ALPHA",
      volumeId: alphaSystem,
      lastUpdateTime: `2026-0${index + 1}-01T00:00:00.000Z`,
    }),
  ),
  passwordRecord(3, {
    keyId: key.files,
    computerName: "PC-ALPHA",
    volumeId: alphaFiles,
    volumeType: "FixedData",
    lastUpdateTime: "2026-02-15T12:00:00.000Z",
  }),
  passwordRecord(4, {
    keyId: betaStick.key,
    computerName: "PC-BETA",
    volumeId: betaStick.volume,
    volumeType: "Removable",
    lastUpdateTime: "2026-05-01T00:00:00.000Z",
  }),
  {
    line: 6,
    computerName: "PC-BETA",
    volumeId: betaStick.volume,
    volumeType: "Removable",
    lastUpdateTime: "2026-06-01T00:00:00.000Z",
    protector: { kind: "ExternalKey", keyId: betaStick.external, fileName: "stick.BEK" },
  },
  {
    line: 7,
    computerName: "PC-BETA",
    volumeId: betaStick.volume,
    volumeType: "Removable",
    protector: { kind: "DataRecoveryAgent", keyId: betaStick.agent },
  },
  ...["PC-BETA", "PC-GAMMA"].map((computerName, index) =>
    passwordRecord(5, {
      line: 8 + index,
      keyId: sharedKey,
      computerName,
      volumeId: sharedVolume,
      lastUpdateTime: "2026-04-01T00:00:00.000Z",
    }),
  ),
  passwordRecord(6, { keyId: umlautKey, computerName: "Büro-Süd", lastUpdateTime: "2026-03-15T00:00:00.000Z" }),
];
/** One row for each computer of a volume: the shared key comes twice. */
const allRows = 8;

export type { MakeSiteDatabase } from "./certificate.contract.ts";

/**
 * Runs the cases that every implementation of the port must pass.
 *
 * @param certificate whether those of its certificate too: each derives keys of backups, which takes most of the contract's time
 */
export const describeSiteDatabase = (
  name: string,
  make: MakeSiteDatabase,
  { certificate }: { readonly certificate: boolean } = { certificate: true },
): void => {
  describe(`${name} as a site database`, () => {
    const made: SiteDatabaseUnderTest[] = [];
    const start = async (given = records): Promise<SiteDatabaseUnderTest> => {
      const under = await make(given);
      made.push(under);
      return under;
    };
    afterEach(async () => {
      for (const under of made.splice(0)) await under.dispose();
    });

    test("gives every recovery password with its computer, volume and time", async () => {
      const { database } = await start();
      const keys = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(keys).toHaveLength(allRows);
      const [old] = keys.filter((one) => one.passwordId === key.old);
      expect(old).toMatchObject({
        computerName: "PC-ALPHA",
        volumeId: alphaSystem,
        volumeType: "OperatingSystem",
        lastUpdateTime: "2026-01-01T00:00:00.000Z",
        disclosed: false,
      });
      expect(textOf(old)).toBe(passwordOf(0));
      expect(old?.recoveryKey.label).toEqual({ keyId: key.old, computerName: "PC-ALPHA" });
    });

    test("counts what it would read", async () => {
      const { database } = await start();
      const queries = [
        {},
        { computerNames: ["PC-ALPHA", "PC-BETA"] },
        { passwordIds: [key.old] },
        { volumeTypes: ["Removable"] as const },
        { latest: true },
        { since: new Date("2026-03-01") },
      ];
      for (const query of queries) {
        const read = await collect(database.readRecoveryKeys(query, neverStopped));
        await expect(database.countRecoveryKeys(query, neverStopped)).resolves.toBe(read.length);
        expect(read.length).toBeGreaterThan(0);
      }
    });

    test("reads in the same order each time", async () => {
      const { database } = await start();
      const first = await collect(database.readRecoveryKeys({}, neverStopped));
      const second = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(second.map((one) => one.passwordId)).toEqual(first.map((one) => one.passwordId));
    });

    test("finds computers without regard to case, for all letters", async () => {
      const { database } = await start();
      const found = await collect(database.readRecoveryKeys({ computerNames: ["pc-gamma", "BÜRO-SÜD"] }, neverStopped));
      expect(found.map((one) => one.passwordId).sort()).toEqual([sharedKey, umlautKey].sort());
    });

    test("does not take a computer's name for a prefix or a pattern", async () => {
      const { database } = await start();
      for (const name of ["PC", "PC-ALPH", "%", "PC-_LPHA", "", "PC-ALPHA' OR '1'='1"])
        await expect(database.countRecoveryKeys({ computerNames: [name] }, neverStopped)).resolves.toBe(0);
    });

    test("finds the computers that a name may mean: itself, the short form, those with a domain", async () => {
      const names = ["PC-1", "PC-1.a.example", "pc-1.B.example", "PC-10.a.example", "PC_2.a.example", "PCX2.a.example"];
      const { database } = await start(
        [...names, "PC-3", "10.0.0.1", "Büro.a.example"].map((computerName, number) =>
          passwordRecord(number, { computerName }),
        ),
      );
      const found = (name: string) => database.findComputers(name, neverStopped);
      await expect(found("pc-1")).resolves.toEqual({ same: ["PC-1"], other: ["PC-1.a.example", "pc-1.B.example"] });
      await expect(found("PC-1.A.EXAMPLE")).resolves.toEqual({ same: ["PC-1.a.example"], other: ["PC-1"] });
      await expect(found("PC-3.a.example")).resolves.toEqual({ same: [], other: ["PC-3"] });
      await expect(found("BÜRO")).resolves.toEqual({ same: [], other: ["Büro.a.example"] });
      await expect(found("PC_2")).resolves.toEqual({ same: [], other: ["PC_2.a.example"] });
      for (const name of ["PC", "10", "10.0", "10.0.0", "%", "PC-%", "PC-[1]", "PC-3' OR '1'='1"])
        await expect(found(name)).resolves.toEqual({ same: [], other: [] });
    });

    describe("searching", () => {
      const search = async (database: SiteDatabaseUnderTest["database"], name?: string, keyId?: string) => {
        const found: ListedKey[] = [];
        for await (const keys of database.searchKeys({ name, keyId }, neverStopped)) found.push(...keys);
        return found;
      };
      const idsOf = (keys: readonly ListedKey[]) => keys.map(({ passwordId }) => passwordId).sort();

      test("finds keys by a part of a computer's name, without case, with their state and without their text", async () => {
        const { database } = await start();
        const found = await search(database, "c-alph");
        expect(idsOf(found)).toEqual(Object.values(key).sort());
        expect(found.find(({ passwordId }) => passwordId === key.old)).toEqual({
          passwordId: key.old,
          computerName: "PC-ALPHA",
          volumeId: alphaSystem,
          volumeType: "OperatingSystem",
          lastUpdateTime: "2026-01-01T00:00:00.000Z",
          disclosed: false,
          state: "Replaced",
        });
        expect(idsOf(await search(database, "RO-SÜ"))).toEqual([umlautKey]);
        expect(await search(database, "büro-nord")).toEqual([]);
      });

      test("finds keys by a part of their id, wherever it stands", async () => {
        const { database } = await start();
        for (const piece of [key.files.slice(0, 8), key.files.slice(5, 14), key.files.slice(-12), key.files])
          expect(idsOf(await search(database, undefined, piece))).toEqual([key.files]);
        expect(await search(database, undefined, "0123456789AB")).toEqual([]);
      });

      test("gives a row that fits by both once, and a key of two computers twice", async () => {
        const { database } = await start([
          passwordRecord(0, { keyId: `ABCD${key.old.slice(4)}`, computerName: "PC-ABCD" }),
          passwordRecord(1, { keyId: `${key.middle.slice(0, -4)}ABCD`, computerName: "PC-1" }),
        ]);
        expect((await search(database, "ABCD", "ABCD")).map(({ computerName }) => computerName).sort()).toEqual([
          "PC-1",
          "PC-ABCD",
        ]);
        const other = await start();
        expect(idsOf(await search(other.database, undefined, sharedKey.slice(0, 13)))).toEqual([sharedKey, sharedKey]);
      });

      test("takes every character for itself", async () => {
        const names = ["PC_1", "PCX1", "PC-[1]", "50%OFF", String.raw`A\B`, "O'NEIL"];
        const { database } = await start(names.map((computerName, number) => passwordRecord(number, { computerName })));
        for (const piece of names) {
          const found = await search(database, piece);
          expect([piece, found.map(({ computerName }) => computerName)]).toEqual([piece, [piece]]);
        }
        for (const piece of ["%", "P%1", "[A-Z]C", "PC?1", "*", "' OR 1=1 --"])
          expect([piece, (await search(database, piece)).map(({ computerName }) => computerName)]).toEqual([
            piece,
            names.filter((name) => name.includes(piece)),
          ]);
      });

      test("finds all of many, each once", async () => {
        const many = Array.from({ length: 1000 }, (_, number) => passwordRecord(number));
        const { database } = await start(many);
        expect(new Set(idsOf(await search(database, "PC-"))).size).toBe(1000);
        expect(await search(database, "PC-")).toHaveLength(1000);
        expect(await search(database, "PC-77")).toHaveLength(11);
      });
    });

    test("finds a key by its whole id, once for each computer that has the volume", async () => {
      const { database } = await start();
      const found = await collect(database.readRecoveryKeys({ passwordIds: [sharedKey] }, neverStopped));
      expect(found.map((one) => one.computerName).sort()).toEqual(["PC-BETA", "PC-GAMMA"]);
    });

    test("finds keys by a prefix of their id, and no key twice when prefixes overlap", async () => {
      const { database } = await start();
      const passwordIds = [key.files.slice(0, 8), key.files.slice(0, 13), key.files, key.old.slice(0, 9)];
      const found = await collect(database.readRecoveryKeys({ passwordIds }, neverStopped));
      expect(found.map((one) => one.passwordId).sort()).toEqual([key.files, key.old].sort());
    });

    test("finds the newest key of each volume", async () => {
      const { database } = await start();
      const found = await collect(
        database.readRecoveryKeys({ latest: true, computerNames: ["PC-ALPHA"] }, neverStopped),
      );
      expect(found.map((one) => one.passwordId).sort()).toEqual([key.newest, key.files].sort());
    });

    test("says of each key of a volume whether a newer one is known, where that is asked for", async () => {
      const { database } = await start();
      const states = async (query: RecoveryKeyQuery) =>
        Object.fromEntries(
          (await collect(database.readRecoveryKeys(query, neverStopped))).map((one) => [one.passwordId, one.state]),
        );
      const computerNames = ["PC-ALPHA"];
      await expect(states({ computerNames })).resolves.toEqual(
        Object.fromEntries(Object.values(key).map((id) => [id, undefined])),
      );
      await expect(states({ computerNames, withState: true })).resolves.toEqual({
        [key.old]: "Replaced",
        [key.middle]: "Replaced",
        [key.newest]: "Current",
        [key.files]: "Current",
      });
      await expect(states({ passwordIds: [key.old], withState: true })).resolves.toEqual({ [key.old]: "Replaced" });
    });

    test("calls keys of one time and one volume the newest, each of them", async () => {
      const at = { computerName: "PC-TWO", volumeId: alphaSystem, lastUpdateTime: "2026-03-01T00:00:00.000Z" };
      const older = { ...at, lastUpdateTime: "2026-02-01T00:00:00.000Z" };
      const { database } = await start([passwordRecord(0, older), passwordRecord(1, at), passwordRecord(2, at)]);
      const found = await collect(database.readRecoveryKeys({ latest: true, withState: true }, neverStopped));
      expect(found.map((one) => one.passwordId).sort()).toEqual([guid("key 1"), guid("key 2")].sort());
      expect(found.map((one) => one.state)).toEqual(["Current", "Current"]);
    });

    test("does not call an old key the newest only because it is the one asked for", async () => {
      const { database } = await start();
      await expect(database.countRecoveryKeys({ latest: true, passwordIds: [key.old] }, neverStopped)).resolves.toBe(0);
    });

    test("applies every part of a query", async () => {
      const { database } = await start();
      const since = new Date("2026-02-01T00:00:00.000Z");
      const found = await collect(
        database.readRecoveryKeys(
          { computerNames: ["PC-ALPHA"], volumeTypes: ["OperatingSystem"], since, passwordIds: [key.old, key.middle] },
          neverStopped,
        ),
      );
      expect(found.map((one) => one.passwordId)).toEqual([key.middle]);
    });

    test("answers nothing to a list without entries", async () => {
      const { database } = await start();
      await expect(database.countRecoveryKeys({ passwordIds: [] }, neverStopped)).resolves.toBe(0);
      await expect(database.countRecoveryKeys({ computerNames: [] }, neverStopped)).resolves.toBe(0);
    });

    test("refuses a key id that is too short or is no part of a GUID", async () => {
      const { database } = await start();
      for (const id of ["", "ABCDEF1", "%%%%%%%%", "ABCDEFGH", key.old.toLowerCase(), `${key.old}0`])
        await expect(collect(database.readRecoveryKeys({ passwordIds: [id] }, neverStopped))).rejects.toMatchObject({
          category: "InvalidArgument",
        });
    });

    test("reads without marking, and marks the keys that are named and no other", async () => {
      const { database } = await start();
      const query = { computerNames: ["PC-ALPHA"] };
      await collect(database.readRecoveryKeys(query, neverStopped));
      const untouched = await collect(database.readRecoveryKeys(query, neverStopped));
      expect(untouched.every((one) => !one.disclosed)).toBe(true);
      await database.markDisclosed([key.old, key.files], "drive recovery", neverStopped);
      const after = await collect(database.readRecoveryKeys(query, neverStopped));
      expect(
        after
          .filter((one) => one.disclosed)
          .map((one) => one.passwordId)
          .sort(),
      ).toEqual([key.old, key.files].sort());
      expect(textOf(after.find((one) => one.passwordId === key.old))).toBe(passwordOf(0));
    });

    test("marks a key of several computers for all of them, and one that is marked once more", async () => {
      const { database } = await start();
      for (const ids of [[sharedKey], [sharedKey, sharedKey]]) {
        await database.markDisclosed(ids, "lost PIN", neverStopped);
        const found = await collect(database.readRecoveryKeys({ passwordIds: [sharedKey] }, neverStopped));
        expect(found.map((one) => one.disclosed)).toEqual([true, true]);
      }
    });

    test("marks some hundred keys at once", async () => {
      const many = Array.from({ length: 300 }, (_, number) => passwordRecord(number));
      const { database } = await start(many);
      const ids = many.flatMap(({ protector: { keyId } }) => keyId).slice(0, 200);
      await database.markDisclosed(ids, "audit", neverStopped);
      const marked = (await collect(database.readRecoveryKeys({}, neverStopped))).filter((one) => one.disclosed);
      expect(marked.map((one) => one.passwordId).sort()).toEqual(ids.sort());
    });

    test("marks nothing where it is given no key", async () => {
      const { database } = await start();
      await database.markDisclosed([], "x", neverStopped);
      const all = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(all.some((one) => one.disclosed)).toBe(false);
    });

    test("rejects a key that is not there, as it must not be shown then", async () => {
      const { database } = await start();
      await expect(database.markDisclosed([guid("nobody's")], "x", neverStopped)).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
      await expect(database.markDisclosed([key.old, betaStick.external], "x", neverStopped)).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
    });

    test("takes no part of an id for the keys that begin so", async () => {
      const { database } = await start();
      for (const id of [key.old.slice(0, 8), `${key.old.slice(0, 8)}%`, "%", ""])
        await expect(database.markDisclosed([id], "x", neverStopped), id).rejects.toMatchObject({
          category: "ResourceUnavailable",
        });
      const all = await collect(database.readRecoveryKeys({}, neverStopped));
      expect(all.some((one) => one.disclosed)).toBe(false);
    });

    describe("recovery packages", () => {
      const bytes = Buffer.from(Array.from({ length: 600 }, (_, index) => (index * 7) % 256));
      const withPackage = [
        passwordRecord(0, { keyId: key.old, computerName: "PC-ALPHA", recoveryPackage: bytes }),
        passwordRecord(1, { keyId: key.middle, computerName: "PC-ALPHA" }),
      ];

      test("gives a key's package byte for byte, labelled with its key, and marks that key alone", async () => {
        const { database } = await start(withPackage);
        const taken = await database.takeRecoveryPackage(key.old, "damaged drive", neverStopped);
        expect(taken && Buffer.from(revealSecret(taken), "base64").equals(bytes)).toBe(true);
        expect(taken?.label).toEqual({ keyId: key.old, computerName: "PC-ALPHA", what: "recovery-package" });
        const after = await collect(database.readRecoveryKeys({}, neverStopped));
        expect(after.filter((one) => one.disclosed).map((one) => one.passwordId)).toEqual([key.old]);
      });

      test("says of no key with a package that it has none, and marks nothing by the question", async () => {
        const { database } = await start(withPackage);
        expect(await database.hasRecoveryPackage(key.old, neverStopped)).not.toBe(false);
        expect(await database.hasRecoveryPackage(key.middle, neverStopped)).not.toBe(true);
        const after = await collect(database.readRecoveryKeys({}, neverStopped));
        expect(after.some((one) => one.disclosed)).toBe(false);
      });

      test("gives nothing for a key without a package", async () => {
        const { database } = await start(withPackage);
        await expect(database.takeRecoveryPackage(key.middle, "x", neverStopped)).resolves.toBeUndefined();
      });

      test("gives nothing for a part of an id, and nothing for a key that is not there", async () => {
        const { database } = await start(withPackage);
        for (const id of [key.old.slice(0, 8), `${key.old.slice(0, 35)}%`, "%", ""])
          await expect(database.takeRecoveryPackage(id, "x", neverStopped), id).rejects.toMatchObject({
            category: "InvalidArgument",
          });
        await expect(database.takeRecoveryPackage(guid("nobody's"), "x", neverStopped)).rejects.toMatchObject({
          category: "ResourceUnavailable",
        });
        const after = await collect(database.readRecoveryKeys({}, neverStopped));
        expect(after.some((one) => one.disclosed)).toBe(false);
      });
    });

    test("reads in batches of at most a few hundred, every key once", async () => {
      const many = Array.from({ length: 1500 }, (_, number) =>
        passwordRecord(number, { computerName: `PC-${number % 7}`, volumeId: guid(`volume ${number % 11}`) }),
      );
      const { database } = await start(many);
      const seen = new Set<string>();
      for await (const batch of database.readRecoveryKeys({ computerNames: ["PC-3"] }, neverStopped)) {
        expect(batch.length).toBeLessThanOrEqual(500);
        for (const one of batch) {
          expect(seen.has(one.passwordId)).toBe(false);
          seen.add(one.passwordId);
        }
      }
      // Every computer has had each of the eleven volumes, so it leads to every key.
      expect(seen.size).toBe(1500);
      await expect(database.countRecoveryKeys({}, neverStopped)).resolves.toBe(7 * 1500);
    });

    test("stops soon after the signal, and says that it was stopped", async () => {
      const many = Array.from({ length: 1200 }, (_, number) => passwordRecord(number));
      const { database } = await start(many);
      const stopping = new AbortController();
      const read = async (): Promise<number> => {
        let batches = 0;
        for await (const batch of database.readRecoveryKeys({}, stopping.signal)) {
          batches += Math.sign(batch.length);
          stopping.abort();
        }
        return batches;
      };
      await expect(read()).rejects.toMatchObject({ category: "OperationStopped" });
      await expect(database.countRecoveryKeys({}, stopping.signal)).rejects.toMatchObject({
        category: "OperationStopped",
      });
      await expect(database.markDisclosed([guid("key 0")], "x", stopping.signal)).rejects.toMatchObject({
        category: "OperationStopped",
      });
    });

    test("serves several readers at once", async () => {
      const { database } = await start();
      const all = await Promise.all(
        Array.from({ length: 5 }, () => collect(database.readRecoveryKeys({}, neverStopped))),
      );
      expect(all.map((keys) => keys.length)).toEqual(Array(5).fill(allRows));
    });

    if (certificate) testCertificate(start);

    test("says that it is not available once closed", async () => {
      const { database } = await start();
      await database.close();
      await database.close();
      await expect(database.countRecoveryKeys({}, neverStopped)).rejects.toMatchObject({
        category: "ResourceUnavailable",
      });
    });
  });
};
