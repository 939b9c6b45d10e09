import type { CertificateFinding, SiteDatabase } from "../command/site-database.ts";
import type { SiteAdapter, SiteAsked, SiteMade, SitePlaces, WrittenBeside } from "./adapter.ts";
import { embedded } from "./embedded/adapter.ts";
import type { SiteRecord } from "./embedded/set-guard.ts";
import { sqlServer } from "./sql-server/adapter.ts";

/** Every kind of site database, by its `kind` in endpoint.json. */
export const siteAdapters = { embedded, sqlServer };

type Kind = keyof typeof siteAdapters;
type PartsOf<K extends Kind> =
  (typeof siteAdapters)[K] extends SiteAdapter<infer Written, infer Site> ? { written: Written; site: Site } : never;

/** `siteDatabase` as it is written, and as it is served. */
export type WrittenSite<K extends Kind = Kind> = { [P in K]: PartsOf<P>["written"] & { readonly kind: P } }[K];
export type Site<K extends Kind = Kind> = { [P in K]: PartsOf<P>["site"] & { readonly kind: P } }[K];

/** The same rows, so that the compiler sees that a site's own adapter gets it. */
const adapters: { readonly [K in Kind]: SiteAdapter<WrittenSite<K>, Site<K>> } = siteAdapters;

export const resolveSite = <K extends Kind>(written: WrittenSite<K>, beside: WrittenBeside): Site<K> =>
  adapters[written.kind].resolve(written, beside);

export const openSite = <K extends Kind>(
  site: Site<K>,
  places: SitePlaces,
  record: SiteRecord,
): Promise<SiteDatabase> => adapters[site.kind].open(site, places, record);

export const examineSite = <K extends Kind>(
  site: Site<K>,
  places: SitePlaces,
  asked: SiteAsked,
  signal: AbortSignal,
): Promise<readonly CertificateFinding[]> => adapters[site.kind].examine(site, places, asked, signal);

export const initSite = <K extends Kind>(site: Site<K>): Promise<SiteMade> => adapters[site.kind].init(site);
