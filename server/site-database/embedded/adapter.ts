import type * as z from "zod";
import type { SiteAdapter } from "../adapter.ts";
import { embeddedSiteDatabase, resolveEmbeddedSite, type EmbeddedSite } from "./configuration.ts";

export const embedded = {
  schema: embeddedSiteDatabase,
  resolve: resolveEmbeddedSite,
  async open(site, { backupDirectory }, record) {
    const { openEmbeddedSiteDatabase } = await import("./database.ts");
    const { readMasterKey } = await import("./configured-master-key.ts");
    return openEmbeddedSiteDatabase({ file: site.file, masterKey: readMasterKey(site), record, backupDirectory });
  },
  async examine(site, _places, asked, signal) {
    const { examineEmbedded } = await import("./doctor.ts");
    return examineEmbedded(site, asked, signal);
  },
  async init(site) {
    const { makeEmbeddedSite } = await import("./init.ts");
    return makeEmbeddedSite(site);
  },
} satisfies SiteAdapter<z.infer<typeof embeddedSiteDatabase>, EmbeddedSite>;
