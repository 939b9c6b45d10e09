import { resolve } from "node:path";
import type { SiteAdapter, SitePlaces } from "../adapter.ts";
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
  async examine(configuration, places, _asked, signal) {
    const { database, encrypt } = configuration;
    const { examineSqlServer } = await import("./doctor.ts");
    const site = await open(configuration, places);
    try {
      return await examineSqlServer(site, { database, encrypt }, signal);
    } finally {
      await site.close();
    }
  },
  // Its database is Configuration Manager's.
  init: async () => ({ paths: [], isNew: false }),
} satisfies SiteAdapter<SqlServerConfiguration, SqlServerConfiguration>;
