import { resolve } from "node:path";
import type { SiteAdapter, SitePlaces } from "../adapter.ts";
import { EndpointError } from "../../errors.ts";
import { collectionFinding } from "../findings.ts";
import { sqlServerSiteDatabase, type SqlServerConfiguration } from "./configuration.ts";
import type { SqlServerSiteDatabase } from "./database.ts";

const open = async (
  configuration: SqlServerConfiguration,
  { dataDirectory, backupDirectory, credentialsDirectory }: SitePlaces,
): Promise<SqlServerSiteDatabase> => {
  const { openSqlServerSiteDatabase } = await import("./database.ts");
  const resolvePath = (path: string): string => resolve(dataDirectory, path);
  return openSqlServerSiteDatabase({ configuration, backupDirectory, resolvePath, credentialsDirectory });
};

export const sqlServer = {
  schema: sqlServerSiteDatabase,
  resolve: (written) => written,
  open,
  async examine(configuration, places, { record, whole }, signal) {
    const { database, encrypt } = configuration;
    const { examineSqlServer } = await import("./doctor.ts");
    const site = await open(configuration, places);
    try {
      const findings = await examineSqlServer(site, { database, encrypt, whole }, signal);
      if (record === undefined || findings[0]?.passed !== true) return findings;
      const waiting = await site.keysSince(record.collection, signal).catch((error: unknown) => {
        if (error instanceof EndpointError) return undefined; // why is said by what was found before
        throw error;
      });
      return waiting === undefined ? findings : [...findings, collectionFinding(waiting)];
    } finally {
      await site.close();
    }
  },
  // Its database is Configuration Manager's.
  init: async () => ({ paths: [], isNew: false }),
} satisfies SiteAdapter<SqlServerConfiguration, SqlServerConfiguration>;
