import { resolve } from "node:path";
import * as z from "zod";
import { EndpointError } from "../../errors.ts";
import { liesIn } from "../../files/way.ts";
import type { WrittenBeside } from "../adapter.ts";

/** `siteDatabase` of endpoint.json where its kind is `embedded`. */
export const embeddedSiteDatabase = z.strictObject({
  kind: z.literal("embedded"),
  file: z.string().default("site.sqlite").register(z.globalRegistry, { description: "The database's file." }),
  plainText: z.boolean().default(false).register(z.globalRegistry, {
    description:
      'Microsoft\'s "Allow recovery information to be stored in plain text". Counts when `pep init` makes the database.',
  }),
});

/** `masterKey` of endpoint.json. */
export const masterKeyPlace = z.union([
  z.strictObject({ file: z.string() }),
  z.strictObject({ passwordFile: z.string() }),
]);
export type MasterKeyPlace = z.infer<typeof masterKeyPlace>;

export interface EmbeddedSite {
  readonly kind: "embedded";
  readonly file: string;
  readonly plainText: boolean;
  readonly masterKey: Readonly<MasterKeyPlace>;
}

/** @throws EndpointError InvalidArgument where the master key is not named or lies with the data */
export const resolveEmbeddedSite = (
  { file, plainText }: z.infer<typeof embeddedSiteDatabase>,
  { path, dataDirectory, demo, masterKey }: WrittenBeside,
): EmbeddedSite => {
  if (masterKey === undefined) {
    throw new EndpointError("InvalidArgument", `${path}: masterKey is missing; the embedded site database needs one.`);
  }
  const written = "file" in masterKey ? masterKey.file : masterKey.passwordFile;
  const resolved = resolve(dataDirectory, written);
  if (!demo && liesIn(dataDirectory, resolved)) {
    throw new EndpointError(
      "InvalidArgument",
      `${path}: the master key must lie outside the data directory, so that a copy of the directory does not contain it.`,
    );
  }
  return {
    kind: "embedded",
    file: resolve(dataDirectory, file),
    plainText,
    masterKey: "file" in masterKey ? { file: resolved } : { passwordFile: resolved },
  };
};
