import type * as z from "zod";
import type { Collection } from "../audit/collections.ts";
import type { SiteState } from "../audit/site-events.ts";
import type { CertificateFinding, SiteDatabase } from "../command/site-database.ts";
import type { MasterKeyPlace } from "./embedded/configuration.ts";
import type { SiteRecord } from "./embedded/set-guard.ts";

/** What else endpoint.json says, as far as a site's settings depend on it. */
export interface WrittenBeside {
  /** endpoint.json itself, for messages. */
  readonly path: string;
  readonly dataDirectory: string;
  readonly demo: boolean;
  readonly masterKey: MasterKeyPlace | undefined;
}

/** Where an adapter finds and puts files. */
export interface SitePlaces {
  readonly dataDirectory: string;
  readonly backupDirectory: string;
  /** systemd's $CREDENTIALS_DIRECTORY. */
  readonly credentialsDirectory: string | undefined;
}

/** What `pep doctor` asks of a site database. */
export interface SiteAsked {
  /** What the record says of the rows; undefined where it can't be read. */
  readonly record:
    | { readonly siteState: SiteState | undefined; readonly collection: Collection | undefined }
    | undefined;
  /** Every row, and not a sample. */
  readonly whole: boolean;
}

export interface SiteMade {
  /** The paths made. */
  readonly paths: readonly string[];
  /** A database is among them, with no row in it. */
  readonly isNew: boolean;
}

/** A kind of site database. Its driver is loaded when it is opened: a command that only reads endpoint.json needs none. */
export interface SiteAdapter<Written, Site> {
  /** `siteDatabase` of endpoint.json. */
  readonly schema: z.ZodType<Written>;
  /** @throws EndpointError InvalidArgument for settings that don't fit the rest of endpoint.json */
  readonly resolve: (written: Written, beside: WrittenBeside) => Site;
  readonly open: (site: Site, places: SitePlaces, record: SiteRecord) => Promise<SiteDatabase>;
  /** What is wrong with it, in words, for the administrator of the machine. */
  readonly examine: (
    site: Site,
    places: SitePlaces,
    asked: SiteAsked,
    signal: AbortSignal,
  ) => Promise<readonly CertificateFinding[]>;
  /** Makes what is missing. Never overwrites. */
  readonly init: (site: Site) => Promise<SiteMade>;
}
