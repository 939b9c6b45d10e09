import type { CertificateVerification, KeysStored, SiteDatabase } from "../../command/site-database.ts";
import { EndpointError } from "../../errors.ts";
import { cameAfter } from "../uncollected.ts";
import { backupCertificate } from "./backup-certificate.ts";
import { createKeyAsker } from "./ask-for-key.ts";
import type { BackOffOptions } from "./back-off.ts";
import type { Places, SqlServerConfiguration } from "./configuration.ts";
import { SqlConnection } from "./connection.ts";
import { driverSettings } from "./connection-settings.ts";
import { loadDriver } from "./driver.ts";
import type { Driver } from "./driver.ts";
import { createKeyReader } from "./key-reader.ts";
import { createCertificate, findCertificate } from "./make-certificate.ts";
import { ConnectionPool } from "./pool.ts";
import { describeMade, restoreBackup } from "./restore-backup.ts";
import { SiteConnections } from "./site-connections.ts";
import { verifyCertificate } from "./verify-certificate.ts";

export interface OpenSqlServer extends Places {
  readonly configuration: SqlServerConfiguration;
  /** The endpoint's own directory for certificate copies. */
  readonly backupDirectory?: string;
  /** For tests: how soon a failed server is tried again, how long a cancel may take, how many rows one statement reads. */
  readonly backOff?: BackOffOptions;
  readonly cancelTimeoutMs?: number;
  readonly pageRows?: number;
}

/** The site database, and what only `pep doctor` needs of it. */
export interface SqlServerSiteDatabase extends SiteDatabase {
  /** Connections to the primary and for searches; the same ones unless `applicationIntent` is ReadOnly. */
  readonly connections: { readonly writes: SiteConnections; readonly searches: SiteConnections };
}

const usualBackOff: BackOffOptions = { firstMs: 500, longestMs: 15_000 };
/** Until the server acknowledges a cancel; then the connection is closed. */
const usualCancelTimeoutMs = 5000;
const checkAfterIdleMs = 5000;
const closeAfterIdleMs = 5 * 60_000;

/** Of Microsoft's script. */
const expiresOn = "2039-10-22";

/** No public script or procedure of a site knows a table of them: Keys holds recovery passwords. */
const noProtectors = (): never => {
  throw new EndpointError(
    "ResourceUnavailable",
    "A Configuration Manager site keeps recovery passwords and packages only: it has no other protectors to list.",
  );
};

/** MBAM's model has GetTpm; nothing public says that Configuration Manager has it, nor where it would keep the hashes. */
const noTpm = (): never => {
  throw new EndpointError(
    "ResourceUnavailable",
    "This endpoint reads no TPM password hashes of a Configuration Manager site: the site's helpdesk portal may show them.",
  );
};

const connectionsFor = (
  driver: Driver,
  { configuration, backOff = usualBackOff, cancelTimeoutMs = usualCancelTimeoutMs, ...places }: OpenSqlServer,
  readOnlyIntent: boolean,
): SiteConnections => {
  const { connectTimeoutMs, requestTimeoutMs, stallTimeoutMs, poolSize } = configuration;
  const open = async (onLost: (connection: SqlConnection) => void): Promise<SqlConnection> =>
    SqlConnection.open(
      driver,
      await driverSettings(configuration, places, { readOnlyIntent, cancelTimeoutMs }),
      { requestTimeoutMs, stallTimeoutMs, cancelTimeoutMs },
      onLost,
    );
  return new SiteConnections(
    new ConnectionPool(open, {
      size: poolSize,
      waitMs: connectTimeoutMs,
      checkAfterIdleMs,
      closeAfterIdleMs,
      backOff,
    }),
  );
};

/**
 * Opens a Configuration Manager site's database. Connects when first asked, not now: the endpoint starts while SQL Server is
 * down, and finds it when it comes.
 */
export const openSqlServerSiteDatabase = async (options: OpenSqlServer): Promise<SqlServerSiteDatabase> => {
  const { configuration, backupDirectory, pageRows } = options;
  const driver = await loadDriver();
  const writes = connectionsFor(driver, options, false);
  const searches = configuration.applicationIntent === "ReadOnly" ? connectionsFor(driver, options, true) : writes;
  const reader = createKeyReader({ searches, ...(pageRows === undefined ? {} : { pageRows }) });
  const places = { backupDirectory, serverBackupDirectory: configuration.serverBackupDirectory };
  const stored = async (signal: AbortSignal): Promise<KeysStored> => ({
    database: `${configuration.server}/${configuration.database}`,
    keys: await reader.countRecoveryKeys({}, signal),
  });
  return {
    ...reader,
    keysStored: stored,
    keysSince: async (before, signal) => {
      const { keys, since } = cameAfter(await stored(signal), before);
      if (since === undefined) return { keys };
      // Both, as either can be too few: Configuration Manager may take a computer's keys away, and clocks differ.
      const later = await reader.countRecoveryKeys({ since: new Date(since) }, signal);
      return { keys: Math.max(keys, later), since };
    },
    ...createKeyAsker(writes),
    readProtectors: noProtectors,
    readTpmPasswordHashes: noTpm,
    verifyCertificate: (signal): Promise<CertificateVerification> => verifyCertificate(writes, signal, new Date()),
    backupCertificate: (request, signal) => backupCertificate(writes, places, request, signal),
    findCertificate: (signal) => findCertificate(writes, signal),
    createCertificate: async (request, signal) =>
      describeMade(await createCertificate(writes, { ...request, expiresOn }, signal), "created"),
    restoreCertificate: (request, signal) => restoreBackup(writes, places, request, signal),
    connections: { writes, searches },
    close: async () => {
      await Promise.all(new Set([writes.close(), searches.close()]));
    },
  };
};
