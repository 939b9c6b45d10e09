import { resolve } from "node:path";
import type { OpenRecord } from "../audit/open-record.ts";
import type { Configuration, EmbeddedSite } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { openEmbeddedSiteDatabase } from "../site-database/embedded/index.ts";
import type { SiteRecord } from "../site-database/embedded/index.ts";
import type { SiteDatabase } from "../command/site-database.ts";
import { openSqlServerSiteDatabase, type SqlServerSiteDatabase } from "../site-database/sql-server/database.ts";
import type { SqlServerConfiguration } from "../site-database/sql-server/configuration.ts";
import type { Io } from "./io.ts";
import { readMasterKey } from "./master-key.ts";

type Places = Pick<Configuration, "dataDirectory" | "backupDirectory">;

export const openSqlServer = (
  site: SqlServerConfiguration,
  { dataDirectory, backupDirectory }: Places,
  { credentialsDirectory }: Pick<Io, "credentialsDirectory">,
): Promise<SqlServerSiteDatabase> =>
  openSqlServerSiteDatabase({
    configuration: site,
    backupDirectory,
    resolvePath: (path) => resolve(dataDirectory, path),
    credentialsDirectory,
  });

/** The record of the running server, as the site database needs it. */
const siteRecord = (log: OpenRecord): SiteRecord => ({
  newest: () => log.siteState(),
  written: (state) => log.append({ type: "site-written", ...state }),
  refused: (refusal) => log.append({ type: "site-refused", ...refusal }),
});

/** Opens the configured site database through its adapter. */
export const openSite = (
  configuration: Configuration,
  log: OpenRecord,
  io: Pick<Io, "credentialsDirectory">,
): Promise<SiteDatabase> => {
  const { siteDatabase, backupDirectory } = configuration;
  if (siteDatabase.kind === "sqlServer") return openSqlServer(siteDatabase, configuration, io);
  return openEmbeddedSiteDatabase({
    file: siteDatabase.file,
    masterKey: readMasterKey(siteDatabase),
    record: siteRecord(log),
    backupDirectory,
  });
};

/** What `pep import` and `pep site` work on. @throws EndpointError InvalidArgument for SQL Server, which clients fill themselves */
export const findEmbeddedSite = ({ siteDatabase }: Configuration): EmbeddedSite => {
  if (siteDatabase.kind === "embedded") return siteDatabase;
  throw new EndpointError(
    "InvalidArgument",
    "This data directory is configured for SQL Server: clients escrow their keys there themselves, and its rows are its own. This command is for the embedded site database only.",
  );
};
