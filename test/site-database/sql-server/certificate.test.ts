import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import { Secret } from "../../../server/secret.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { createCertificate, restoreCertificate } from "../../../server/site-database/sql-server/make-certificate.ts";
import type { CreateRequest, Made, RestoreRequest } from "../../../server/site-database/sql-server/make-certificate.ts";
import { makeCertificatePair } from "../../harness/tds-server/model/certificate-files.ts";
import { encodePvk } from "../../harness/tds-server/model/pvk.ts";
import { statementNameOf } from "../../harness/tds-server/model-site.ts";
import type { ModelSite } from "../../harness/tds-server/model-site.ts";
import { collect, disclosing, guid, neverStopped, passwordOf } from "../fixture.ts";
import { siteCertificate, startSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

const sites: StartedSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) await site.dispose();
});

const keyId = guid("only key");
const name = "BitLockerManagement_CERT";

interface Started {
  readonly site: StartedSite;
  readonly model: ModelSite;
  readonly database: SqlServerSiteDatabase;
}

const start = async (change: (model: ModelSite) => void = () => undefined, settings: object = {}): Promise<Started> => {
  const site = await startSite();
  sites.push(site);
  site.model.add({ keyId, computerName: "PC-1", recoveryKey: passwordOf(1) });
  change(site.model);
  return { site, model: site.model, database: await site.open(settings) };
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

const create = (database: SqlServerSiteDatabase, request: CreateRequest): Promise<Made> =>
  createCertificate(database.connections.writes, request, neverStopped);
const restore = (database: SqlServerSiteDatabase, request: RestoreRequest): Promise<Made> =>
  restoreCertificate(database.connections.writes, request, neverStopped);

const strong = new Secret("Correct-Horse-42");
const closed = (model: ModelSite): void => {
  model.state.masterKey = "closed";
};
/** A new site: neither master key nor certificate. */
const bare = (model: ModelSite): void => {
  model.state.masterKey = "absent";
  model.state.certificates = new Map();
};
/** What there is of both. */
const found = ({ state }: ModelSite) => ({ masterKey: state.masterKey, certificates: [...state.certificates.keys()] });
const nothing = { masterKey: "absent", certificates: [] };
const both = { masterKey: "opens by itself", certificates: [name] };

describe("a closed master key", () => {
  test("is an error that says so, never an empty column", async () => {
    const { database } = await start(closed);
    const failure = await failureOf(collect(database.readRecoveryKeys({}, neverStopped)));
    expect(failure).toMatchObject({
      category: "ResourceUnavailable",
      message: expect.stringContaining("master key"),
    });
    expect(inspect(failure.cause)).toContain(keyId);
  });

  test("makes the certificate not valid, though Microsoft's script says 1", async () => {
    const { database } = await start(closed);
    const verification = await database.verifyCertificate(neverStopped);
    expect(verification).toMatchObject({ microsoftCheck: true, valid: false });
    const failed = verification.findings.filter((one) => !one.passed && one.weight === "required");
    expect(failed.map((one) => one.check)).toEqual(["master-key-opens", "sample"]);
  });
});

describe("verifying says what Microsoft's script does not", () => {
  test.each([
    ["another owner", { owner: "dbo" }, "owner"],
    ["a key under a password", { protection: "PW" }, "key-protection"],
    ["no private key", { protection: "NA" }, "key-protection"],
  ] as const)("%s", async (_, change, check) => {
    const { model, database } = await start();
    const stored = model.state.certificates.get(name);
    if (stored === undefined) throw new Error("the model has no certificate");
    model.state.certificates = new Map([[name, { ...stored, ...change }]]);
    const { valid, findings } = await database.verifyCertificate(neverStopped);
    expect(valid).toBe(false);
    expect(findings.filter((one) => !one.passed).map((one) => one.check)).toContain(check);
  });

  test("a certificate that the login may not see is not there for it", async () => {
    const { model, database } = await start();
    model.state.permissions.delete("see the certificate");
    model.state.permissions.delete("CONTROL on the certificate");
    const { valid, findings } = await database.verifyCertificate(neverStopped);
    expect(valid).toBe(false);
    expect(findings.find((one) => one.check === "certificate")?.finding).toContain("may not see it");
  });
});

test("a disclosure asks the site's procedure once for each key, with the reason as it was given", async () => {
  const { site, model, database } = await start();
  model.add({ keyId, computerName: "PC-2", recoveryKey: passwordOf(1) });
  const reason = "Drive recovery'; DROP TABLE x --";
  const disclosed = await collect(disclosing(database, { passwordIds: [keyId] }, reason, neverStopped));
  const labels = new Set(disclosed.map((key) => key.recoveryKey.label?.computerName));
  expect(labels).toEqual(new Set(["PC-1", "PC-2"]));
  expect(model.state.disclosures).toEqual([{ keyId, reason, user: "pep" }]);
  expect(site.server.requests().filter((one) => statementNameOf(one).endsWith("GetRecoveryKey"))).toHaveLength(1);
});

describe("creating", () => {
  const request = { expiresOn: "2039-10-22", masterKeyPassword: strong };
  const withoutKeys = async (): Promise<Started> => {
    const site = await startSite();
    sites.push(site);
    bare(site.model);
    return { site, model: site.model, database: await site.open() };
  };

  test("makes master key, certificate and grants once, and nothing the second time", async () => {
    const { model, database } = await withoutKeys();
    const unasked = await failureOf(create(database, { expiresOn: "2039-10-22" }));
    expect(unasked).toMatchObject({ category: "InvalidArgument" });
    const made = await create(database, request);
    expect(made).toMatchObject({
      masterKey: "created",
      certificate: "created",
      granted: ["RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"],
    });
    expect(found(model)).toEqual(both);
    await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({
      microsoftCheck: true,
      valid: true,
    });
    const before = model.state.certificates;
    const again = await create(database, request);
    expect(again).toMatchObject({ masterKey: "was there", certificate: "was there", granted: [] });
    expect(model.state.certificates).toBe(before);
  });

  test("keeps nothing when stored keys would stay closed, unless the database is named", async () => {
    const { model, database } = await start(bare);
    for (const acceptUnreadableKeysIn of [undefined, "CM_XYZ", ""]) {
      const named = acceptUnreadableKeysIn === undefined ? {} : { acceptUnreadableKeysIn };
      const failure = await failureOf(create(database, { ...request, ...named }));
      expect(failure).toMatchObject({
        category: "ResourceExists",
        message: expect.stringContaining("1 encrypted key"),
      });
      expect(found(model)).toEqual(nothing);
    }
    await create(database, { ...request, acceptUnreadableKeysIn: "cm_pep" });
    expect(found(model)).toEqual(both);
  });

  test("leaves nothing behind when the connection breaks in the middle", async () => {
    const { site, model, database } = await withoutKeys();
    site.server.setFaults({
      query: { when: (one) => statementNameOf(one) === "create-certificate", does: "reset" },
    });
    expect(await failureOf(create(database, request))).toMatchObject({ category: "ResourceUnavailable" });
    site.server.setFaults({});
    expect(await database.countRecoveryKeys({}, neverStopped)).toBe(0);
    expect(found(model)).toEqual(nothing);
  });

  test("says that the login may not", async () => {
    const { model, database } = await withoutKeys();
    model.state.permissions.delete("CONTROL on the database");
    expect(await failureOf(create(database, request))).toMatchObject({
      category: "ResourceUnavailable",
      message: expect.stringContaining("may not"),
    });
    expect(found(model)).toEqual(nothing);
  });

  test("refuses a weak password and a day that is none", async () => {
    const { database } = await withoutKeys();
    for (const bad of [
      { ...request, masterKeyPassword: new Secret("short") },
      { ...request, expiresOn: "20391022" },
      { ...request, expiresOn: "2039-13-01" },
      { ...request, expiresOn: "2039-02-31" },
    ])
      expect(await failureOf(create(database, bad))).toMatchObject({ category: "InvalidArgument" });
  });
});

describe("creating, by version", () => {
  test.each([
    { majorVersion: 12, warning: expect.stringContaining("does not work on SQL Server 2016 or later") },
    { majorVersion: 13, warning: undefined },
    { majorVersion: 16, warning: undefined },
  ])("version $majorVersion says what is wrong with a certificate of its own", async ({ majorVersion, warning }) => {
    const site = await startSite({ shape: { majorVersion } });
    sites.push(site);
    bare(site.model);
    expect((await (await site.open()).findCertificate(neverStopped)).warning).toEqual(warning);
  });
});

describe("SQL Server's own files", () => {
  const settings = { serverBackupDirectory: "D:\\Backup\\" };
  const request = { name: "site", form: "Pkcs8", password: strong } as const;

  test("are written where SQL Server sees them, read back, and never overwritten", async () => {
    const { model, database } = await start(undefined, settings);
    const backup = await database.backupCertificate(request, neverStopped);
    expect(backup.files.map((file) => file.fileName)).toEqual(["site.cer", "site.pvk"]);
    expect([...model.state.files.keys()]).toEqual(["D:\\Backup\\site.cer", "D:\\Backup\\site.pvk"]);
    expect(await failureOf(database.backupCertificate(request, neverStopped))).toMatchObject({
      category: "ResourceExists",
    });
  });

  test("bring the certificate back, as PVK and as PFX, with the keys it opens", async () => {
    for (const form of ["Pkcs8", "Pfx"] as const) {
      const { model, database } = await start(undefined, settings);
      await database.backupCertificate({ ...request, form }, neverStopped);
      bare(model);
      const from =
        form === "Pfx"
          ? ({ kind: "pfx", path: "D:\\Backup\\site.pfx" } as const)
          : ({
              kind: "files",
              certificatePath: "D:\\Backup\\site.cer",
              keyPath: "D:\\Backup\\site.pvk",
            } as const);
      const restoring = { from, password: strong, masterKeyPassword: strong };
      expect(await restore(database, restoring)).toMatchObject({
        certificate: "created",
      });
      expect(await collect(database.readRecoveryKeys({}, neverStopped))).toHaveLength(1);
    }
  });

  test("are no backup when they can't be read back, or hold something else", async () => {
    const { model, database } = await start(undefined, settings);
    model.state.permissions.delete("ADMINISTER BULK OPERATIONS");
    expect(await failureOf(database.backupCertificate(request, neverStopped))).toMatchObject({
      category: "ResourceUnavailable",
    });
    expect(model.state.files.size).toBe(0);
    model.state.permissions.add("ADMINISTER BULK OPERATIONS");
    const { privateKey } = await siteCertificate();
    if (privateKey === undefined) throw new Error("the model has no key");
    const other = encodePvk(privateKey, "Another-Password-1");
    const set = model.state.files.set.bind(model.state.files);
    model.state.files.set = (path, bytes) => set(path, path.endsWith(".pvk") ? other : bytes);
    const failure = await failureOf(database.backupCertificate(request, neverStopped));
    expect(failure).toMatchObject({ message: expect.stringContaining("don't rely on it") });
  });
});

describe("restoring", () => {
  const files = { kind: "files", certificatePath: "D:\\b\\s.cer", keyPath: "D:\\b\\s.pvk" } as const;

  test("takes a copy that was kept on this side", async () => {
    const { model, database } = await start(bare);
    const { der, privateKey } = await siteCertificate();
    if (privateKey === undefined) throw new Error("the model has no key");
    const pvk = encodePvk(privateKey, "it's-Geheim-17");
    const from = { kind: "bytes", certificate: der, pvk } as const;
    const password = new Secret("it's-Geheim-17");
    await restore(database, { from, password, masterKeyPassword: strong });
    expect(found(model)).toEqual(both);
    await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({ valid: true });
  });

  test.each([
    { of: "an older SQL Server", majorVersion: 13, keyBits: 1024, keep: "nothing", result: "refused" },
    { of: "an older SQL Server", majorVersion: 16, keyBits: 1024, keep: "plain text", result: "refused" },
    { of: "an older SQL Server", majorVersion: 16, keyBits: 1024, keep: "its keys", result: "kept" },
    { of: "an older SQL Server", majorVersion: 12, keyBits: 1024, keep: "nothing", result: "kept" },
    { of: "a newer SQL Server", majorVersion: 12, keyBits: 2048, keep: "nothing", result: "kept" },
  ] as const)(
    "the certificate of $of is $result by version $majorVersion where the database holds $keep",
    async ({ majorVersion, keyBits, keep, result }) => {
      const certificate = await makeCertificatePair("BitLocker Management", undefined, keyBits);
      const mixed = keep === "plain text" ? { keyColumn: "varchar" as const } : {};
      const site = await startSite({ certificate, shape: { majorVersion, ...mixed } });
      sites.push(site);
      const key = { keyId, computerName: "PC-1", recoveryKey: passwordOf(1) };
      if (keep !== "nothing") site.model.add(key, keep === "plain text" ? "plain" : "encrypted");
      bare(site.model);
      const { der, privateKey } = certificate;
      if (privateKey === undefined) throw new Error("the model has no key");
      const from = { kind: "bytes", certificate: der, pvk: encodePvk(privateKey, "it's-Geheim-17") } as const;
      const database = await site.open();
      const work = restore(database, { from, password: new Secret("it's-Geheim-17"), masterKeyPassword: strong });
      if (result === "refused")
        expect(await failureOf(work)).toMatchObject({
          category: "InvalidArgument",
          message: expect.stringMatching(/SQL Server 2014 .*at the site with the latest SQL Server/),
        });
      else expect(await work).toMatchObject({ certificate: "created" });
      expect(found(site.model)).toEqual(result === "refused" ? nothing : both);
    },
  );

  test("never replaces one that is there", async () => {
    const { model, database } = await start();
    const before = model.state.certificates;
    const failure = await failureOf(restore(database, { from: files, password: strong }));
    expect(failure).toMatchObject({ category: "ResourceExists" });
    expect(model.state.certificates).toBe(before);
  });

  test("says that a password is wrong or a file missing, leaves nothing behind, and never repeats the password", async () => {
    const { model, database } = await start(bare);
    const { der, privateKey } = await siteCertificate();
    if (privateKey === undefined) throw new Error("the model has no key");
    model.state.files.set(files.certificatePath, der);
    const request = { from: files, password: new Secret("Wrong-Password-1"), masterKeyPassword: strong };
    expect(await failureOf(restore(database, request))).toMatchObject({ category: "ObjectNotFound" });
    model.state.files.set(files.keyPath, encodePvk(privateKey, "Right-Password-1"));
    const failure = await failureOf(restore(database, request));
    expect(failure).toMatchObject({ category: "InvalidArgument", message: expect.stringContaining("password") });
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain("Wrong-Password-1");
    expect(found(model)).toEqual(nothing);
  });
});

test("a copy is made under a password of its own: the user's never gets into a statement", async () => {
  const { site, database } = await start();
  // Without a backup directory it stops before it asks for the key.
  const request = { name: "x", form: "Pfx", password: strong } as const;
  expect(await failureOf(database.backupCertificate(request, neverStopped))).toMatchObject({
    category: "ResourceUnavailable",
  });
  const writing = await site.open({}, { backupDirectory: "/nonexistent" });
  expect(await failureOf(writing.backupCertificate(request, neverStopped))).toMatchObject({
    category: "ResourceUnavailable",
  });
  const sent = site.server.requests();
  expect(sent.map(statementNameOf)).toContain("export-certificate");
  for (const one of sent) expect(one.text).not.toContain("Correct-Horse-42");
});

test("NULL from CERTPRIVATEKEY is never written as an empty backup", async () => {
  const { site } = await start(closed);
  const database = await site.open({}, { backupDirectory: "/nonexistent" });
  const request = { name: "x", form: "Pfx", password: strong } as const;
  const failure = await failureOf(database.backupCertificate(request, neverStopped));
  expect(inspect(failure.cause)).toContain("CERTPRIVATEKEY gave NULL");
});
