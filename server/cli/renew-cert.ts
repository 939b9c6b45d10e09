import { pathsIn, readConfiguration } from "../configuration.ts";
import type { Configuration } from "../configuration.ts";
import type { CertificateRestoreRequest } from "../command/site-database.ts";
import { EndpointError } from "../errors.ts";
import { createProgress } from "../import/progress.ts";
import { plural } from "../model/plural.ts";
import { readMasterKey } from "../site-database/embedded/configured-master-key.ts";
import { findRenewal, isThere, renewCertificate, retireCertificate } from "../site-database/embedded/index.ts";
import type { RenewalFound, RenewalStep } from "../site-database/embedded/index.ts";
import { askBackupPassword } from "./backup-password.ts";
import { confirmAccept } from "./confirm-accept.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";
import type { LocalRecord } from "./local-record.ts";
import { plain } from "./plain.ts";
import { findEmbeddedSite } from "./site.ts";

export interface RenewCert extends Pick<CertificateRestoreRequest, "form"> {
  readonly dataDirectory: string;
  /** Of the new certificate's backup; not needed to look, nor to go on. */
  readonly name: string | undefined;
  /** Says what would be done. */
  readonly dryRun: boolean;
  readonly retireOld: boolean;
  /** Does not ask. */
  readonly yes: boolean;
}

const cells = (count: number): string => plural(count, "encrypted cell");

const closedInWords = ({ counts: { closed, firstClosed } }: RenewalFound): string =>
  closed === 0
    ? ""
    : `${cells(closed)} open with no certificate${firstClosed === undefined ? "" : `, the first that of key ${firstClosed}`}. They stay as they are.\n`;

const steps = ({ counts }: RenewalFound, name: string): string =>
  [
    `1. A new certificate and its backup are made: ${name}, in the backup directory. The backup is read again, and the new certificate taken from it.`,
    "2. In one step the old certificate becomes BitLockerManagement_CERT_OLD. The new one becomes BitLockerManagement_CERT, gets owner and permissions, and opens every key.",
    `3. ${cells(counts.newest + counts.older)} move to a key that only the new certificate opens. Others read, disclose and import meanwhile. A renewal that ends early goes on when it is run again.`,
    "4. Later, in a step of its own: pep renew-cert --retire-old takes the old certificate out, where every cell opens with the new one and its backup.\n",
  ].join("\n");

const inWords = (found: RenewalFound, name: string): string => {
  const { thumbprint, oldThumbprint, counts } = found;
  const all = "Cells are recovery keys, packages and TPM owners.\n";
  if (oldThumbprint === undefined)
    return `BitLockerManagement_CERT is ${thumbprint}. It opens ${cells(counts.newest)}. ${all}${closedInWords(found)}${steps(found, name)}`;
  return (
    `A renewal is under way, from ${oldThumbprint} to ${thumbprint}. ${all}` +
    `${cells(counts.newest)} have moved, ${counts.older} have not.\n${closedInWords(found)}` +
    (counts.older > 0
      ? "Run pep renew-cert to go on.\n"
      : "All have moved. Run pep renew-cert --retire-old --name NAME to take the old certificate out.\n")
  );
};

/** Where the database is, and what it needs. */
type SitePlaces = Parameters<typeof findRenewal>[0];

const placesOf = (configuration: Configuration): SitePlaces => {
  const site = findEmbeddedSite(configuration);
  return { file: site.file, masterKey: readMasterKey(site), backupDirectory: configuration.backupDirectory };
};

const append =
  (record: LocalRecord, localUser: string) =>
  async (step: RenewalStep): Promise<void> =>
    record.append({ type: "certificate-renewal", localUser, ...step });

const progressOf = (found: () => number, io: Io) => {
  let bar: ReturnType<typeof createProgress> | undefined;
  return {
    onProgress: (looked: number): void => {
      bar ??= createProgress({ name: "cells", bytes: found() }, io.stderr, () => performance.now());
      bar.show({ bytes: looked, keys: looked });
    },
    end: (): void => bar?.end(),
  };
};

interface Around {
  readonly stop: AbortSignal;
  readonly io: Io;
}

const requestOf = async ({ name, form, yes }: RenewCert, backupDirectory: string, stop: AbortSignal, io: Io) => {
  if (name === undefined)
    throw new EndpointError("InvalidArgument", "Name the new certificate's backup: pep renew-cert --name NAME.");
  const password = await askBackupPassword(io, !(await isThere(backupDirectory, { name, form })));
  if (!yes) await confirmAccept("these steps", stop, io);
  return { name, form, password };
};

/** What each kind of run is given. */
const renewalOf = async (
  asked: RenewCert,
  places: SitePlaces,
  record: LocalRecord,
  { stop, io }: Around,
): Promise<Parameters<typeof retireCertificate>[0]> => ({
  ...places,
  recorded: await record.siteState(),
  record: append(record, io.localUser),
  confirm: async (found) => {
    io.stdout.write(inWords(found, asked.name ?? "NAME"));
    return requestOf(asked, places.backupDirectory, stop, io);
  },
});

type Run = (asked: RenewCert, places: SitePlaces, record: LocalRecord, around: Around) => Promise<number>;

const retire: Run = async (asked, places, record, around) => {
  const { stop, io } = around;
  const done = await retireCertificate(await renewalOf(asked, places, record, around), stop);
  io.stdout.write(
    `Retired, on the record. All ${cells(done.counts.newest)} open with ${done.thumbprint} alone. Keep the old backup as long as older copies of the database are kept.\n`,
  );
  return 0;
};

const renew: Run = async (asked, places, record, around) => {
  const { stop, io } = around;
  let total = 0;
  const progress = progressOf(() => total, io);
  try {
    const done = await renewCertificate(
      {
        ...(await renewalOf(asked, places, record, around)),
        onFound: ({ counts }) => {
          total = counts.newest + counts.older + counts.closed;
        },
        onProgress: progress.onProgress,
      },
      stop,
    );
    progress.end();
    io.stdout.write(`${done.moved} moved now, on the record. ${inWords(done, asked.name ?? "NAME")}`);
    return done.counts.closed === 0 ? 0 : 1;
  } finally {
    progress.end();
  }
};

/** On SQL Server the rotation is its administrator's: what would be sent is not public, and a wrong guess costs every key. */
const showOnServer = async (
  asked: RenewCert,
  { siteDatabase, backupDirectory }: Configuration & { readonly siteDatabase: { readonly kind: "sqlServer" } },
  stop: AbortSignal,
  io: Io,
): Promise<number> => {
  if (!asked.dryRun)
    throw new EndpointError(
      "InvalidArgument",
      "On SQL Server the certificate is renewed by hand, by Microsoft's procedure. To see its steps, and which is next: pep renew-cert --dry-run.",
    );
  const { sqlServer } = await import("../site-database/sql-server/adapter.ts");
  const { findRenewalOnServer, renewalOnServerInWords } = await import("../site-database/sql-server/plan-renewal.ts");
  const { dataDirectory } = asked;
  const { credentialsDirectory } = io;
  const site = await sqlServer.open(siteDatabase, { dataDirectory, backupDirectory, credentialsDirectory });
  try {
    io.stdout.write(plain(renewalOnServerInWords(await findRenewalOnServer(site, siteDatabase.database, stop))));
    return 0;
  } finally {
    await site.close();
  }
};

/** `pep renew-cert`: a new certificate beside the old one, and the keys moved over while the server runs; on the record. */
export const renewCertCommand = async (asked: RenewCert, stop: AbortSignal, io: Io): Promise<number> => {
  const paths = pathsIn(asked.dataDirectory);
  const configuration = readConfiguration(asked.dataDirectory, paths.endpoint);
  const { siteDatabase } = configuration;
  if (siteDatabase.kind === "sqlServer") return showOnServer(asked, { ...configuration, siteDatabase }, stop, io);
  const places = placesOf(configuration);
  if (asked.dryRun) {
    io.stdout.write(inWords(await findRenewal(places, stop), asked.name ?? "NAME"));
    return 0;
  }
  const record = await openLocalRecord(paths, io, stop);
  try {
    return await (asked.retireOld ? retire : renew)(asked, places, record, { stop, io });
  } finally {
    await record.close();
  }
};
