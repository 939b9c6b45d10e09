import { existsSync } from "node:fs";
import { EndpointError } from "../../errors.ts";
import type { SiteMade } from "../adapter.ts";
import type { EmbeddedSite } from "./configuration.ts";
import { readMasterKey } from "./configured-master-key.ts";
import { createEmbeddedSiteDatabase } from "./database.ts";
import { createMasterKeyFile } from "./master-key.ts";

/** Makes the database and its master key, where they are missing. */
export const makeEmbeddedSite = async (site: EmbeddedSite): Promise<SiteMade> => {
  const paths: string[] = [];
  if ("file" in site.masterKey && !existsSync(site.masterKey.file)) {
    if (existsSync(site.file)) {
      throw new EndpointError(
        "ObjectNotFound",
        `The master key ${site.masterKey.file} is missing, and ${site.file} needs it. Put it back; a new one could not open a single key. If it is lost, and you have a backup of the certificate: pep restore-cert`,
      );
    }
    await createMasterKeyFile(site.masterKey.file);
    paths.push(site.masterKey.file);
  }
  const isNew = !existsSync(site.file);
  if (isNew) {
    const { file, plainText } = site;
    await createEmbeddedSiteDatabase({ file, masterKey: readMasterKey(site), plainText });
    paths.push(file);
  }
  return { paths, isNew };
};
