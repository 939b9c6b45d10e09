import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { revealSecret, Secret } from "../../../server/secret.ts";
import { sqlServerSiteDatabase } from "../../../server/site-database/sql-server/configuration.ts";
import { openSqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { createCertificate, restoreCertificate } from "../../../server/site-database/sql-server/make-certificate.ts";
import { SqlConnection } from "../../../server/site-database/sql-server/connection.ts";
import { driverSettings } from "../../../server/site-database/sql-server/connection-settings.ts";
import { loadDriver } from "../../../server/site-database/sql-server/driver.ts";
import { everyStatement } from "../../../server/site-database/sql-server/list-sql.ts";
import { text } from "../../../server/site-database/sql-server/statement.ts";
import type { Statement } from "../../../server/site-database/sql-server/statement.ts";
import type { RecoveryRecord } from "../../../server/site-database/recovery-record.ts";
import { describeSiteDatabase } from "../site-database.contract.ts";
import { neverStopped } from "../fixture.ts";

/*
 * Against Microsoft's server, when there is one: PEP_TEST_SQLSERVER names a JSON file with a `siteDatabase` object (kind
 * sqlServer) whose login owns a database made by server/site-database/sql/model-schema.sql. See the folder's README.
 */
const file = process.env["PEP_TEST_SQLSERVER"];

const notTried = (): void => {
  test("Microsoft's SQL Server is not tried: PEP_TEST_SQLSERVER names no configuration", (context) => {
    context.skip("server/site-database/sql-server/README.md says how to start one");
    expect(file).toBeUndefined();
  });
};

const configurationOf = (path: string) => ({
  configuration: sqlServerSiteDatabase.parse(JSON.parse(readFileSync(path, "utf8"))),
  resolvePath: (relative: string) => resolve(dirname(path), relative),
  credentialsDirectory: undefined,
});

const batch = (sql: string): Statement => ({ name: "test-setup", kind: "batch", text: sql, parameters: {} });
const query = (sql: string, values: Readonly<Record<string, string | null>>): Statement => ({
  name: "test-setup",
  kind: "query",
  text: sql,
  parameters: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)])),
});

const empty = `DELETE FROM dbo.RecoveryAndHardwareCore_Keys; DELETE FROM dbo.RecoveryAndHardwareCore_Machines_Volumes;
DELETE FROM dbo.RecoveryAndHardwareCore_Volumes; DELETE FROM dbo.RecoveryAndHardwareCore_Machines;
GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO RecoveryAndHardwareRead;
GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO RecoveryAndHardwareWrite;`;

const insert = `DECLARE @typeId int = CASE @type WHEN 'OperatingSystem' THEN 1 WHEN 'FixedData' THEN 2 WHEN 'Removable' THEN 3 ELSE 0 END;
IF NOT EXISTS (SELECT 1 FROM dbo.RecoveryAndHardwareCore_Machines WHERE Name = @machine)
  INSERT INTO dbo.RecoveryAndHardwareCore_Machines (Name) VALUES (@machine);
IF NOT EXISTS (SELECT 1 FROM dbo.RecoveryAndHardwareCore_Volumes WHERE VolumeGuid = @volume)
  INSERT INTO dbo.RecoveryAndHardwareCore_Volumes (VolumeGuid, VolumeTypeId) VALUES (@volume, @typeId);
DECLARE @machineId int = (SELECT Id FROM dbo.RecoveryAndHardwareCore_Machines WHERE Name = @machine);
DECLARE @volumeId int = (SELECT Id FROM dbo.RecoveryAndHardwareCore_Volumes WHERE VolumeGuid = @volume);
IF NOT EXISTS (SELECT 1 FROM dbo.RecoveryAndHardwareCore_Machines_Volumes WHERE MachineId = @machineId AND VolumeId = @volumeId)
  INSERT INTO dbo.RecoveryAndHardwareCore_Machines_Volumes VALUES (@machineId, @volumeId);
IF NOT EXISTS (SELECT 1 FROM dbo.RecoveryAndHardwareCore_Keys WHERE RecoveryKeyId = @keyId)
  INSERT INTO dbo.RecoveryAndHardwareCore_Keys (VolumeId, RecoveryKeyId, RecoveryKey, LastUpdateTime)
  VALUES (@volumeId, @keyId, dbo.PepModelEncrypt(@key), CONVERT(datetime, @time, 126));`;

const tryServer = (path: string): void => {
  const places = configurationOf(path);
  const direct = async (): Promise<SqlConnection> =>
    SqlConnection.open(
      await loadDriver(),
      await driverSettings(places.configuration, places, { readOnlyIntent: false, cancelTimeoutMs: 5000 }),
      { requestTimeoutMs: 30_000, stallTimeoutMs: 30_000, cancelTimeoutMs: 5000 },
      () => undefined,
    );
  let connection: SqlConnection;
  beforeAll(async () => {
    connection = await direct();
  });
  afterAll(() => connection.close());
  const run = async (statement: Statement): Promise<void> => {
    await connection.all(statement, { signal: neverStopped });
  };
  const add = async (record: RecoveryRecord): Promise<void> => {
    if (record.protector.kind !== "NumericalPassword") return;
    const { keyId, recoveryPassword } = record.protector;
    await run(
      query(insert, {
        machine: record.computerName,
        volume: record.volumeId ?? keyId,
        type: record.volumeType,
        keyId,
        key: revealSecret(recoveryPassword),
        time: (record.lastUpdateTime ?? "2026-01-01T00:00:00.000Z").slice(0, 23),
      }),
    );
  };

  describeSiteDatabase("Microsoft's SQL Server", async (records) => {
    await run(batch(empty));
    for (const record of records) await add(record);
    const backupDirectory = await mkdtemp(join(tmpdir(), "pep-backup-"));
    const database = await openSqlServerSiteDatabase({ ...places, backupDirectory, pageRows: 100 });
    return {
      database,
      backupDirectory,
      revokeControl: (principal) =>
        run(batch(`REVOKE CONTROL ON CERTIFICATE::BitLockerManagement_CERT FROM ${principal}`)),
      dropCertificate: () => run(batch("DROP CERTIFICATE BitLockerManagement_CERT")),
      databaseName: places.configuration.database,
      dispose: async () => {
        await database.close();
        await rm(backupDirectory, { recursive: true, force: true });
      },
    };
  });

  describe("the certificate on Microsoft's SQL Server", () => {
    let database: SqlServerSiteDatabase;
    beforeAll(async () => {
      await run(batch(empty));
      database = await openSqlServerSiteDatabase(places);
    });
    afterAll(() => database.close());

    test("is left alone by create and restore while it is there", async () => {
      const made = await createCertificate(database.connections.writes, { expiresOn: "2039-10-22" }, neverStopped);
      expect(made.certificate).toBe("was there");
      const from = { kind: "files", certificatePath: "nothing.cer", keyPath: "nothing.pvk" } as const;
      const restoring = restoreCertificate(
        database.connections.writes,
        { from, password: new Secret("Correct-Horse-42") },
        neverStopped,
      );
      await expect(restoring).rejects.toMatchObject({ category: "ResourceExists" });
    });

    test("is made anew where it is missing, and taken back when it would leave keys closed", async () => {
      await add({
        line: 1,
        computerName: "PC-1",
        volumeType: "OperatingSystem",
        protector: {
          kind: "NumericalPassword",
          keyId: "00000000-0000-4000-8000-000000000001",
          recoveryPassword: new Secret("000011-000022-000033-000044-000055-000066-000077-000088"),
        },
      });
      await run(batch("DROP CERTIFICATE BitLockerManagement_CERT"));
      const creating = createCertificate(database.connections.writes, { expiresOn: "2039-10-22" }, neverStopped);
      await expect(creating).rejects.toMatchObject({ category: "ResourceExists" });
      await run(batch("DELETE FROM dbo.RecoveryAndHardwareCore_Keys"));
      const made = await createCertificate(database.connections.writes, { expiresOn: "2039-10-22" }, neverStopped);
      expect(made.certificate).toBe("created");
      await expect(database.verifyCertificate(neverStopped)).resolves.toMatchObject({
        microsoftCheck: true,
        valid: true,
      });
    });
  });

  test("Microsoft's parser takes every statement", async () => {
    const statements = everyStatement().filter((statement) => statement.kind !== "procedure");
    expect(statements.length).toBeGreaterThan(20);
    await run(batch("SET PARSEONLY ON"));
    try {
      for (const statement of statements) {
        const declarations = Object.entries(statement.parameters).map(
          ([name, { type }]) => `DECLARE @${name} ${type === "text" ? "nvarchar(4000)" : type};`,
        );
        await run(batch([...declarations, statement.text].join("\n")));
      }
    } finally {
      await run(batch("SET PARSEONLY OFF"));
    }
  });
};

if (file === undefined || file === "") notTried();
else tryServer(file);
