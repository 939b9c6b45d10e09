import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import { Secret } from "../../../server/secret.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { collect, guid, neverStopped, passwordRecord } from "../fixture.ts";
import { startSite } from "./bare-site.ts";
import type { BareSite } from "./bare-site.ts";
import { nameOf } from "./catalogue.ts";
import { encodePvk } from "./pvk-writer.ts";
import { SiteModel } from "./site-model.ts";

const sites: BareSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) await site.dispose();
});

const keyId = guid("only key");

interface Started {
  readonly site: BareSite;
  readonly model: SiteModel;
  readonly database: SqlServerSiteDatabase;
}

const start = async (change: (model: SiteModel) => void = () => undefined, settings: object = {}): Promise<Started> => {
  const model = new SiteModel();
  model.add(passwordRecord(1, { keyId, computerName: "PC-1" }));
  change(model);
  const site = await startSite((request, respond) => model.answer(request, respond));
  sites.push(site);
  return { site, model, database: await site.open(settings) };
};

const failureOf = async (work: Promise<unknown>): Promise<EndpointError> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof EndpointError) return error;
    throw error;
  }
  throw new Error("nothing failed");
};

const strong = new Secret("Correct-Horse-42");
const without = (model: SiteModel): void => {
  model.hasCertificate = false;
  model.hasMasterKey = false;
};

describe("a closed master key", () => {
  test("is an error that says so, never an empty column, on both ways to a key", async () => {
    const { database } = await start((model) => {
      model.masterKeyOpen = false;
    });
    for (const work of [
      collect(database.readRecoveryKeys({}, neverStopped)),
      collect(database.discloseRecoveryKeys({}, "test", neverStopped)),
    ]) {
      const failure = await failureOf(work);
      expect(failure).toMatchObject({
        category: "ResourceUnavailable",
        message: expect.stringContaining("master key"),
      });
      expect(inspect(failure.cause)).toContain(keyId);
    }
  });

  test("makes the certificate not valid, though Microsoft's script says 1", async () => {
    const { database } = await start((model) => {
      model.masterKeyOpen = false;
    });
    const verification = await database.verifyCertificate(neverStopped);
    expect(verification).toMatchObject({ microsoftCheck: true, valid: false });
    expect(
      verification.findings.filter((one) => !one.passed && one.weight === "required").map((one) => one.check),
    ).toEqual(["master-key-opens", "sample"]);
  });
});

test("a disclosure asks the site's procedure once for each key, with the reason as it was given", async () => {
  const { site, database } = await start((model) => {
    model.add(passwordRecord(1, { keyId, computerName: "PC-2", volumeId: keyId }));
  });
  const reason = "Drive recovery'; DROP TABLE x --";
  expect(await collect(database.discloseRecoveryKeys({ passwordIds: [keyId] }, reason, neverStopped))).toHaveLength(2);
  const calls = site.server.requests().filter((request) => nameOf(request).endsWith("GetRecoveryKey"));
  expect(calls.map((call) => call.parameters.map(({ name, value }) => [name, value]))).toEqual([
    [
      ["RecoveryKeyId", keyId],
      ["Reason", reason],
    ],
  ]);
});

describe("creating", () => {
  const request = { expiresOn: "2039-10-22", masterKeyPassword: strong };

  test("makes master key and certificate once, and nothing the second time", async () => {
    const { model, database } = await start(without);
    expect(await failureOf(database.createCertificate({ expiresOn: "2039-10-22" }, neverStopped))).toMatchObject({
      category: "InvalidArgument",
    });
    expect(await database.createCertificate(request, neverStopped)).toEqual({
      masterKey: "created",
      certificate: "created",
    });
    expect(await database.createCertificate(request, neverStopped)).toEqual({
      masterKey: "was there",
      certificate: "was there",
    });
    expect(model.executed).toEqual(["create-master-key", "create-certificate"]);
  });

  test("keeps nothing when stored keys would stay closed, unless the database is named", async () => {
    const { model, database } = await start((given) => {
      without(given);
      given.certificateOpensKeys = false;
    });
    for (const acceptUnreadableKeysIn of [undefined, "CM_XYZ", ""]) {
      const named = acceptUnreadableKeysIn === undefined ? {} : { acceptUnreadableKeysIn };
      const failure = await failureOf(database.createCertificate({ ...request, ...named }, neverStopped));
      expect(failure).toMatchObject({
        category: "ResourceExists",
        message: expect.stringContaining("1 encrypted key"),
      });
      expect(model).toMatchObject({ hasCertificate: false, hasMasterKey: false, executed: [] });
    }
    await database.createCertificate({ ...request, acceptUnreadableKeysIn: "cm_pep" }, neverStopped);
    expect(model.hasCertificate).toBe(true);
  });

  test("refuses a weak password and a day that is none", async () => {
    const { database } = await start(without);
    for (const bad of [
      { ...request, masterKeyPassword: new Secret("short") },
      { ...request, expiresOn: "20391022" },
      { ...request, expiresOn: "2039-13-01" },
      { ...request, expiresOn: "2039-02-31" },
    ])
      expect(await failureOf(database.createCertificate(bad, neverStopped))).toMatchObject({
        category: "InvalidArgument",
      });
  });
});

describe("restoring", () => {
  const files = { kind: "files", certificatePath: "D:\\b\\s.cer", keyPath: "D:\\b\\s.pvk" } as const;

  test("brings it back from files, PFX and bytes", async () => {
    for (const [from, name] of [
      [files, "restore-certificate-from-files"],
      [{ kind: "pfx", path: "D:\\b\\s.pfx" }, "restore-certificate-from-pfx"],
      [{ kind: "bytes", certificate: Uint8Array.of(1), pvk: Uint8Array.of(2) }, "restore-certificate-from-bytes"],
    ] as const) {
      const { model, database } = await start(without);
      await database.restoreCertificate({ from, password: strong, masterKeyPassword: strong }, neverStopped);
      expect(model.executed).toEqual(["create-master-key", name]);
    }
  });

  test("never replaces one that is there", async () => {
    const { model, database } = await start();
    const failure = await failureOf(database.restoreCertificate({ from: files, password: strong }, neverStopped));
    expect(failure).toMatchObject({ category: "ResourceExists" });
    expect(model.executed).toEqual([]);
  });

  test("says that a password is wrong, leaves nothing behind, and never repeats it", async () => {
    const { model, database } = await start(without);
    const request = { from: files, password: new Secret("Wrong-Password-1"), masterKeyPassword: strong };
    const failure = await failureOf(database.restoreCertificate(request, neverStopped));
    expect(failure).toMatchObject({ category: "InvalidArgument" });
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain("Wrong-Password-1");
    expect(model).toMatchObject({ hasCertificate: false, hasMasterKey: false, executed: [] });
  });
});

describe("SQL Server's own files", () => {
  const settings = { serverBackupDirectory: "D:\\Backup\\" };

  test("are written where SQL Server sees them, read back, and never overwritten", async () => {
    const { model, database } = await start(undefined, settings);
    const request = { name: "site", form: "Pkcs8", password: strong } as const;
    const backup = await database.backupCertificate(request, neverStopped);
    expect(backup.files.map((file) => file.fileName)).toEqual(["site.cer", "site.pvk"]);
    expect([...model.serverFiles.keys()]).toEqual(["D:\\Backup\\site.cer", "D:\\Backup\\site.pvk"]);
    expect(await failureOf(database.backupCertificate(request, neverStopped))).toMatchObject({
      category: "ResourceExists",
    });
  });

  test("are no backup when they can't be read back, or hold something else", async () => {
    const { model, database, site } = await start(undefined, settings);
    const request = { name: "site", form: "Pkcs8", password: strong } as const;
    site.setFaults({
      query: { when: (one) => nameOf(one) === "read-backup-file", does: [{ number: 4834, message: "no permission" }] },
    });
    expect(await failureOf(database.backupCertificate(request, neverStopped))).toMatchObject({
      category: "ResourceUnavailable",
    });
    expect(model.serverFiles.size).toBe(0);
    site.setFaults({});
    const set = model.serverFiles.set.bind(model.serverFiles);
    const other = encodePvk(model.pair.privateKey, "Another-Password-1", {});
    model.serverFiles.set = (path, bytes) => set(path, path.endsWith(".pvk") ? other : bytes);
    const failure = await failureOf(database.backupCertificate(request, neverStopped));
    expect(failure).toMatchObject({
      category: "ResourceUnavailable",
      message: expect.stringContaining("don't rely on it"),
    });
  });
});

test("a copy is made under a password of its own: the user's never gets into a statement", async () => {
  const { site, database } = await start();
  // Without a backup directory it stops before writing, but not before the checks.
  expect(
    await failureOf(database.backupCertificate({ name: "x", form: "Pfx", password: strong }, neverStopped)),
  ).toMatchObject({ category: "ResourceUnavailable" });
  for (const request of site.server.requests()) expect(request.text).not.toContain("Correct-Horse-42");
});

test("NULL from CERTPRIVATEKEY is never written as an empty backup", async () => {
  const { site } = await start((model) => {
    model.masterKeyOpen = false;
  });
  const database = await site.open({}, { backupDirectory: "/nonexistent" });
  const failure = await failureOf(
    database.backupCertificate({ name: "x", form: "Pfx", password: strong }, neverStopped),
  );
  expect(failure).toMatchObject({ category: "ResourceUnavailable" });
  expect(inspect(failure.cause)).toContain("CERTENCODED gave NULL");
});
