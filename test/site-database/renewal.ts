import { Secret } from "../../server/secret.ts";
import { renewCertificate, retireCertificate } from "../../server/site-database/embedded/index.ts";
import type { RenewalStep } from "../../server/site-database/embedded/index.ts";
import { neverStopped } from "./fixture.ts";
import type { TestSite } from "./fixture.ts";

/** What a renewal needs to know of a site; of a `TestSite`, or of one in another process. */
export type RenewalPlaces = Pick<TestSite, "file" | "masterKeyFile" | "backupDirectory">;

const backupPassword = "Correct-Horse-42";
export const backupOf = (name: string) => ({ name, form: "Pkcs8", password: new Secret(backupPassword) }) as const;

interface Options {
  readonly name?: string;
  readonly recorded?: ReturnType<TestSite["record"]["newest"]>;
  readonly record?: (step: RenewalStep) => Promise<void>;
  readonly onProgress?: (cells: number) => void;
}

const placesOf = ({ file, masterKeyFile, backupDirectory }: RenewalPlaces) => ({
  file,
  backupDirectory,
  masterKey: { kind: "file", path: masterKeyFile } as const,
});

export const renew = (places: RenewalPlaces, { name = "new", recorded, record, onProgress }: Options = {}) =>
  renewCertificate(
    {
      ...placesOf(places),
      recorded,
      record: record ?? (async () => undefined),
      confirm: async () => backupOf(name),
      onFound: () => undefined,
      onProgress: onProgress ?? (() => undefined),
    },
    neverStopped,
  );

export const retire = (places: RenewalPlaces, { name = "new", recorded, record }: Options = {}) =>
  retireCertificate(
    {
      ...placesOf(places),
      recorded,
      record: record ?? (async () => undefined),
      confirm: async () => backupOf(name),
    },
    neverStopped,
  );
