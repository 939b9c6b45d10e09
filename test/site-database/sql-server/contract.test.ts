import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { revealSecret } from "../../../server/secret.ts";
import type { RecoveryRecord } from "../../../server/site-database/recovery-record.ts";
import type { ModelSite } from "../../harness/tds-server/model-site.ts";
import { describeSiteDatabase } from "../site-database.contract.ts";
import { startSite } from "./start-site.ts";

const typeIds = { Unknown: 0, OperatingSystem: 1, FixedData: 2, Removable: 3 } as const;

const add = (model: ModelSite, { protector, ...record }: RecoveryRecord): void => {
  // The table holds recovery passwords only.
  if (protector.kind !== "NumericalPassword") return;
  model.add({
    keyId: protector.keyId,
    recoveryKey: revealSecret(protector.recoveryPassword),
    computerName: record.computerName,
    volumeTypeId: typeIds[record.volumeType],
    recoveryPackage: record.recoveryPackage,
    ...(record.volumeId === undefined ? {} : { volumeGuid: record.volumeId }),
    ...(record.lastUpdateTime === undefined ? {} : { lastUpdateTime: record.lastUpdateTime }),
  });
};

// The other kind of TLS runs through every fault in faults.test.ts; other shapes of a site in shapes.test.ts.
describeSiteDatabase("SQL Server (a model of a site, over TLS)", async (records) => {
  const site = await startSite();
  for (const record of records) add(site.model, record);
  const backupDirectory = await mkdtemp(join(tmpdir(), "pep-backup-"));
  return {
    // Small pages: the cases then cross their ends.
    database: await site.open({}, { backupDirectory, pageRows: 100 }),
    backupDirectory,
    revokeControl: async (principal) => site.model.revokeControl(principal),
    dropCertificate: async () => {
      site.model.state.certificates = new Map();
    },
    databaseName: "CM_PEP",
    dispose: async () => {
      await site.dispose();
      await rm(backupDirectory, { recursive: true, force: true });
    },
  };
});
