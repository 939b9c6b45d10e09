import { beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { decodePfx, makeCertificatePair, thumbprintOf } from "../harness/tds-server/model/certificate-files.ts";
import type { CertificatePair } from "../harness/tds-server/model/certificate-files.ts";
import { parseBatch } from "../harness/tds-server/model/parse-batch.ts";
import { decodePvk, encodePvk } from "../harness/tds-server/model/pvk.ts";
import { SqlError } from "../harness/tds-server/model/sql-error.ts";
import { certificateName, modelPermissions } from "../harness/tds-server/model/state.ts";
import type { ModelPermission } from "../harness/tds-server/model/state.ts";
import { startModelSite } from "../harness/tds-server/model-site.ts";
import type { ModelSite } from "../harness/tds-server/model-site.ts";
import { ask, certificatesForFile, connect } from "./client.ts";

/* The model's certificate statements: what it takes for T-SQL, and what they do to its state. */

const certificates = certificatesForFile();
let pair: CertificatePair;
let otherPair: CertificatePair;
beforeAll(async () => {
  pair = await makeCertificatePair();
  otherPair = await makeCertificatePair("Another");
});

const keyOf = ({ privateKey }: CertificatePair) => {
  if (privateKey === undefined) throw new Error("no private key");
  return privateKey;
};

interface Started {
  readonly site: ModelSite;
  /** Sends a batch; gives the error's number, if there is one, and the rows. */
  readonly batch: (
    text: string,
  ) => Promise<{ readonly number: unknown; readonly rows: readonly (readonly unknown[])[] }>;
  readonly close: () => void;
}

const start = async (): Promise<Started> => {
  const { server, ...site } = await startModelSite({ tls: certificates.server, certificate: pair });
  onTestFinished(async () => {
    await server.close();
    expect(server.problems()).toEqual([]);
  });
  const connection = await connect({ port: server.port, ca: certificates.authority });
  return {
    site,
    batch: async (text) => {
      const { error, rows } = await ask(connection, text, [], "execSqlBatch");
      return { number: (error as { number?: unknown } | undefined)?.number, rows };
    },
    close: () => connection.close(),
  };
};

const withoutCertificate = async (): Promise<Started> => {
  const started = await start();
  started.site.state.certificates = new Map();
  return started;
};

const numberOf = (sql: string): number | undefined => {
  try {
    parseBatch(sql);
    return undefined;
  } catch (error) {
    if (error instanceof SqlError) return error.number;
    throw error;
  }
};

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString("hex")}`;

describe("what is T-SQL", () => {
  test.each([
    "CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'it''s'",
    "/* a /* nested */ comment */ CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'x' -- to the end",
    "GRANT CONTROL ON CERTIFICATE ::BitLockerManagement_CERT TO RecoveryAndHardwareRead",
    "GRANT CONTROL ON CERTIFICATE::[BitLockerManagement_CERT] TO RecoveryAndHardwareRead;",
    "CREATE CERTIFICATE x FROM BINARY = 0x30820A WITH PRIVATE KEY (BINARY = 0x01, DECRYPTION BY PASSWORD = N'p')",
    "BACKUP CERTIFICATE x TO FILE = 'D:\\x' WITH FORMAT = 'PFX', PRIVATE KEY (ENCRYPTION BY PASSWORD = N'p', ALGORITHM = 'AES_256')",
    "SET XACT_ABORT ON; BEGIN TRANSACTION",
  ])("%s", (sql) => expect(numberOf(sql)).toBeUndefined());

  test.each([
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = secret", 102],
    ['CREATE MASTER KEY ENCRYPTION BY PASSWORD = "secret"', 102],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'it's'", 105],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'it's', N''", 105],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'open", 105],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'a' N'b'", 102],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD N'a'", 102],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'a' /* open", 113],
    ["CREATE CERTIFICATE x FROM BINARY = '0x30'", 102],
    ["CREATE CERTIFICATE x FROM BINARY = 0xZZ", 102],
    ["BACKUP CERTIFICATE x TO DISK = 'D:\\x'", 102],
    ["GRANT CONTROL ON CERTIFICATE :BitLockerManagement_CERT TO x", 102],
    ["CREATE MASTER KEY ENCRYPTION BY PASSWORD = @password", 102],
    ["DROP CERTIFICATE BitLockerManagement_CERT", 102],
  ])("%s is error %i", (sql, number) => expect(numberOf(sql)).toBe(number));

  test("a literal without N loses letters to the code page, one of them to an apostrophe; N keeps them", () => {
    const password = (sql: string) => parseBatch(`CREATE MASTER KEY ENCRYPTION BY PASSWORD = ${sql}`)[0];
    expect(password("'aʼb😀é'")).toMatchObject({ password: "a'b??é" });
    expect(password("N'aʼb😀é'")).toMatchObject({ password: "aʼb😀é" });
  });

  test("a backslash before a line break continues the line and is no part of the text", () => {
    expect(parseBatch("CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'a\\\nb'")).toMatchObject([{ password: "ab" }]);
  });
});

describe("what the statements do", () => {
  test("a syntax error anywhere means that nothing of the batch happens", async () => {
    const { site, batch } = await withoutCertificate();
    site.state.masterKey = "absent";
    const text = "CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'Master-Key-1' CREATE CERTIFICATE x WITH SUBJECT = oops";
    expect((await batch(text)).number).toBe(102);
    expect(site.state.masterKey).toBe("absent");
  });

  test("Microsoft's script makes master key, certificate and grants, and does nothing a second time", async () => {
    const { site, batch } = await withoutCertificate();
    site.state.masterKey = "absent";
    const script = `IF NOT EXISTS (SELECT name FROM sys.symmetric_keys WHERE name = '##MS_DatabaseMasterKey##')
BEGIN
    CREATE MASTER KEY ENCRYPTION BY PASSWORD = 'MyMasterKeyPassword1'
END
IF NOT EXISTS (SELECT name from sys.certificates WHERE name = 'BitLockerManagement_CERT')
BEGIN
    CREATE CERTIFICATE BitLockerManagement_CERT AUTHORIZATION RecoveryAndHardwareCore
    WITH SUBJECT = 'BitLocker Management',
    EXPIRY_DATE = '20391022'

    GRANT CONTROL ON CERTIFICATE ::BitLockerManagement_CERT TO RecoveryAndHardwareRead
    GRANT CONTROL ON CERTIFICATE ::BitLockerManagement_CERT TO RecoveryAndHardwareWrite
END`;
    expect((await batch(script)).number).toBeUndefined();
    expect(site.state.masterKey).toBe("opens by itself");
    const made = site.state.certificates.get(certificateName);
    expect(made).toMatchObject({ owner: "RecoveryAndHardwareCore", protection: "MK" });
    expect([...(made?.grants ?? [])]).toEqual(["RecoveryAndHardwareRead", "RecoveryAndHardwareWrite"]);
    expect((await batch(script)).number).toBeUndefined();
    expect(site.state.certificates.get(certificateName)).toBe(made);
  });

  test("a rolled-back transaction leaves nothing, nor does one whose connection ends", async () => {
    for (const end of ["rollback", "close"] as const) {
      const { site, batch, close } = await withoutCertificate();
      await batch("SET XACT_ABORT ON; BEGIN TRANSACTION");
      await batch(`CREATE CERTIFICATE ${certificateName} AUTHORIZATION RecoveryAndHardwareCore WITH SUBJECT = 'x'`);
      expect(site.state.certificates.size).toBe(1);
      if (end === "close") close();
      else await batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION");
      await vi.waitFor(() => expect(site.state.certificates.size).toBe(0));
    }
  });

  test("a committed one stays, and there is nothing to commit twice", async () => {
    const { site, batch } = await withoutCertificate();
    await batch("SET XACT_ABORT ON; BEGIN TRANSACTION");
    await batch(`CREATE CERTIFICATE ${certificateName} WITH SUBJECT = 'x'`);
    expect((await batch("COMMIT TRANSACTION")).number).toBeUndefined();
    expect((await batch("COMMIT TRANSACTION")).number).toBe(3902);
    expect(site.state.certificates.size).toBe(1);
  });

  test("what was exported opens with its password, and comes back from bytes", async () => {
    const { site, batch } = await start();
    const password = "it's a 'sample' Passw0rd";
    const quoted = `N'${password.replaceAll("'", "''")}'`;
    const text = `SELECT CERTENCODED(CERT_ID('${certificateName}')) AS Certificate, CERTPRIVATEKEY(CERT_ID('${certificateName}'), ${quoted}) AS PrivateKey`;
    const [[der, pvk] = []] = (await batch(text)).rows;
    if (!Buffer.isBuffer(der) || !Buffer.isBuffer(pvk)) throw new Error("nothing exported");
    expect(der).toEqual(pair.der);
    expect(decodePvk(pvk, "other")).toBe("wrong password");
    site.state.certificates = new Map();
    const restore = (key: Uint8Array, secret: string, name = certificateName) =>
      batch(
        `CREATE CERTIFICATE ${name} FROM BINARY = ${hex(der)} WITH PRIVATE KEY (BINARY = ${hex(key)}, DECRYPTION BY PASSWORD = ${secret})`,
      );
    expect((await restore(pvk, "N'other'")).number).toBe(15465);
    expect((await restore(encodePvk(keyOf(otherPair), password), quoted)).number).toBe(15474);
    expect((await restore(Buffer.alloc(100), quoted)).number).toBe(15464);
    expect((await restore(pvk, quoted)).number).toBeUndefined();
    expect((await restore(pvk, quoted)).number).toBe(15232);
    expect((await restore(pvk, quoted, "AnotherName")).number).toBe(15232);
  });

  test("files and PFX: written once, inside the directory only, read back, restored", async () => {
    const { site, batch } = await start();
    const password = "Backup-Password-1";
    const files = `BACKUP CERTIFICATE ${certificateName} TO FILE = N'D:\\Backup\\a.cer' WITH PRIVATE KEY ( FILE = N'D:\\Backup\\a.pvk', ENCRYPTION BY PASSWORD = N'${password}')`;
    expect((await batch(files)).number).toBeUndefined();
    expect((await batch(files)).number).toBe(15240);
    expect((await batch(files.replaceAll("D:\\", "C:\\"))).number).toBe(15240);
    expect((await batch(files.replaceAll("a.", "b.").replace(password, "short"))).number).toBe(15116);
    expect((await batch(files.replaceAll("a.", "b.").replace(password, "onlysmallletters"))).number).toBe(15118);
    const pfx = `BACKUP CERTIFICATE ${certificateName} TO FILE = N'D:\\Backup\\a.pfx' WITH FORMAT = 'PFX', PRIVATE KEY (ENCRYPTION BY PASSWORD = N'${password}', ALGORITHM = 'AES_256')`;
    expect((await batch(pfx)).number).toBeUndefined();
    const read = (path: string) =>
      batch(`SELECT f.BulkColumn AS Content FROM OPENROWSET(BULK N'${path}', SINGLE_BLOB) AS f`);
    expect((await read("D:\\Backup\\a.cer")).rows).toEqual([[pair.der]]);
    expect((await read("D:\\Backup\\none")).number).toBe(4860);
    const [[bytes] = []] = (await read("D:\\Backup\\a.pfx")).rows;
    if (!Buffer.isBuffer(bytes)) throw new Error("no PFX");
    expect((await decodePfx(bytes, password))?.der).toEqual(pair.der);
    expect(site.state.certificates.get(certificateName)?.lastBackupAt).toBeInstanceOf(Date);
    site.state.certificates = new Map();
    const fromPfx = (secret: string) =>
      batch(
        `CREATE CERTIFICATE ${certificateName} FROM FILE = N'D:\\Backup\\a.pfx' WITH FORMAT = 'PFX', PRIVATE KEY (DECRYPTION BY PASSWORD = N'${secret}')`,
      );
    expect((await fromPfx("wrong")).number).toBe(15465);
    expect((await fromPfx(password)).number).toBeUndefined();
    site.state.certificates = new Map();
    const fromFiles = (key: string) =>
      batch(
        `CREATE CERTIFICATE ${certificateName} FROM FILE = N'D:\\Backup\\a.cer' WITH PRIVATE KEY ( FILE = N'D:\\Backup\\${key}', DECRYPTION BY PASSWORD = N'${password}')`,
      );
    expect((await fromFiles("none.pvk")).number).toBe(15208);
    expect((await fromFiles("a.pvk")).number).toBeUndefined();
    const restored = site.state.certificates.get(certificateName);
    expect(restored && thumbprintOf(restored.pair)).toBe(thumbprintOf(pair));
  });
});

const createMasterKey = "CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'Master-Key-1'";
const createAnother = "CREATE CERTIFICATE Another WITH SUBJECT = 'x'";
const backUp = `BACKUP CERTIFICATE ${certificateName} TO FILE = N'D:\\Backup\\c.cer' WITH PRIVATE KEY ( FILE = N'D:\\Backup\\c.pvk', ENCRYPTION BY PASSWORD = N'Backup-Password-1')`;
const exportKey = `SELECT CERTPRIVATEKEY(CERT_ID('${certificateName}'), N'Export-1')`;
const only = (...without: readonly ModelPermission[]) => modelPermissions.filter((one) => !without.includes(one));

describe("what stands in their way", () => {
  const setPermissions = (site: ModelSite, permissions: readonly ModelPermission[]): void => {
    site.state.permissions.clear();
    for (const one of permissions) site.state.permissions.add(one);
  };

  test("a missing permission: 15247 for DDL, 15151 for the certificate, NULL for the functions, 4834 for files", async () => {
    const { site, batch } = await start();
    setPermissions(site, only("CONTROL on the database"));
    expect((await batch(createAnother)).number).toBe(15247);
    expect((await batch(createMasterKey)).number).toBe(15247);
    setPermissions(site, only("CONTROL on the certificate"));
    expect((await batch(backUp)).number).toBe(15151);
    expect(await batch(exportKey)).toMatchObject({ number: undefined, rows: [[null]] });
    setPermissions(site, only("ADMINISTER BULK OPERATIONS"));
    const read = "SELECT f.BulkColumn AS Content FROM OPENROWSET(BULK N'D:\\Backup\\x', SINGLE_BLOB) AS f";
    expect((await batch(read)).number).toBe(4834);
  });

  test("the master key: 15578 when it is there, 15581 when it is closed or missing, NULL for the functions", async () => {
    const { site, batch } = await start();
    expect((await batch(createMasterKey)).number).toBe(15578);
    for (const masterKey of ["closed", "absent"] as const) {
      site.state.masterKey = masterKey;
      expect((await batch(createAnother)).number).toBe(15581);
      expect((await batch(backUp)).number).toBe(15581);
      expect(await batch(exportKey)).toMatchObject({ number: undefined, rows: [[null]] });
    }
  });

  test("a read-only replica: 15635", async () => {
    const { site, batch } = await start();
    site.state.role = "secondary";
    expect((await batch(createAnother)).number).toBe(15635);
  });

  test("no private key: 15246; a principal that is not there: 15151", async () => {
    const { site, batch } = await start();
    const found = site.state.certificates.get(certificateName);
    if (found === undefined) throw new Error("no certificate");
    site.state.certificates = new Map([[certificateName, { ...found, pair: { ...pair, privateKey: undefined } }]]);
    expect((await batch(backUp)).number).toBe(15246);
    expect((await batch(`GRANT CONTROL ON CERTIFICATE::${certificateName} TO Nobody`)).number).toBe(15151);
    expect((await batch("CREATE CERTIFICATE x AUTHORIZATION Nobody WITH SUBJECT = 'x'")).number).toBe(15151);
  });
});
