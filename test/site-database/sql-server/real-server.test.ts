import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { revealSecret, Secret } from "../../../server/secret.ts";
import { openSqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { createCertificate, restoreCertificate } from "../../../server/site-database/sql-server/make-certificate.ts";
import { everyStatement } from "../../../server/site-database/sql-server/list-sql.ts";
import type { RecoveryRecord } from "../../../server/site-database/recovery-record.ts";
import { describeSiteDatabase } from "../site-database.contract.ts";
import { neverStopped } from "../fixture.ts";
import { openModelDatabase } from "./model-database.ts";
import type { ModelDatabase } from "./model-database.ts";

/*
 * Against Microsoft's server, when there is one: PEP_TEST_SQLSERVER names a JSON file with a `siteDatabase` object (kind
 * sqlServer) whose login owns a database made by server/site-database/sql/model-schema.sql, and PEP_TEST_SQLSERVER_RUN is the id
 * that the script printed. See the folder's README. They empty the tables of that database: never one of a site.
 */
const file = process.env["PEP_TEST_SQLSERVER"];

const notTried = (): void => {
  test("Microsoft's SQL Server is not tried: PEP_TEST_SQLSERVER names no configuration", (context) => {
    context.skip("server/site-database/sql-server/README.md says how to start one");
    expect(file).toBeUndefined();
  });
};

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

const tryServer = (model: ModelDatabase): void => {
  const { places, run } = model;
  afterAll(() => model.close());
  const add = async (record: RecoveryRecord): Promise<void> => {
    if (record.protector.kind !== "NumericalPassword") return;
    const { keyId, recoveryPassword } = record.protector;
    await run(insert, {
      machine: record.computerName,
      volume: record.volumeId ?? keyId,
      type: record.volumeType,
      keyId,
      key: revealSecret(recoveryPassword),
      time: (record.lastUpdateTime ?? "2026-01-01T00:00:00.000Z").slice(0, 23),
    });
  };

  describeSiteDatabase("Microsoft's SQL Server", async (records) => {
    await run(empty);
    for (const record of records) await add(record);
    const backupDirectory = await mkdtemp(join(tmpdir(), "pep-backup-"));
    const database = await openSqlServerSiteDatabase({ ...places, backupDirectory, pageRows: 100 });
    return {
      database,
      backupDirectory,
      revokeControl: (principal) => run(`REVOKE CONTROL ON CERTIFICATE::BitLockerManagement_CERT FROM ${principal}`),
      dropCertificate: () => run("DROP CERTIFICATE BitLockerManagement_CERT"),
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
      await run(empty);
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
      await run("DROP CERTIFICATE BitLockerManagement_CERT");
      const creating = createCertificate(database.connections.writes, { expiresOn: "2039-10-22" }, neverStopped);
      await expect(creating).rejects.toMatchObject({ category: "ResourceExists" });
      await run("DELETE FROM dbo.RecoveryAndHardwareCore_Keys");
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
    await run("SET PARSEONLY ON");
    try {
      for (const statement of statements) {
        const declarations = Object.entries(statement.parameters).map(
          ([name, { type }]) => `DECLARE @${name} ${type === "text" ? "nvarchar(4000)" : type};`,
        );
        await run([...declarations, statement.text].join("\n"));
      }
    } finally {
      await run("SET PARSEONLY OFF");
    }
  });
};

if (file === undefined || file === "") notTried();
else tryServer(await openModelDatabase(file, process.env["PEP_TEST_SQLSERVER_RUN"]));
