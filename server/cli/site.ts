import type { Configuration } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import type { EmbeddedSite } from "../site-database/embedded/configuration.ts";

/** What `pep import` and `pep site` work on. @throws EndpointError InvalidArgument for SQL Server, which clients fill themselves */
export const findEmbeddedSite = ({ siteDatabase }: Configuration): EmbeddedSite => {
  if (siteDatabase.kind === "embedded") return siteDatabase;
  throw new EndpointError(
    "InvalidArgument",
    "This data directory is configured for SQL Server: clients escrow their keys there themselves, and its rows are its own. This command is for the embedded site database only.",
  );
};
