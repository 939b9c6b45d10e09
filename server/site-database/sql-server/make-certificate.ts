import { X509Certificate } from "node:crypto";
import { given } from "../../command/given.ts";
import { EndpointError } from "../../errors.ts";
import { revealSecret } from "../../secret.ts";
import type { Secret } from "../../secret.ts";
import { thumbprintOf } from "../key-files.ts";
import { refuseWeakPassword } from "../refuse-weak-password.ts";
import type { CertificateCreateRequest, CertificateState } from "../../command/site-database.ts";
import {
  beginTransaction,
  commitTransaction,
  countOpenedKeys,
  countUnreadableKeys,
  createCertificate as createStatement,
  createMasterKey,
  findCertificate as findStatement,
  grantControl,
  inspectCertificate,
  readCertificate,
  readServerFile,
  restoreFromBytes,
  restoreFromFiles,
  restoreFromPfx,
  rollBackTransaction,
} from "./certificate-statements.ts";
import type { ServerFiles } from "./certificate-statements.ts";
import { decodeBytes, decodeNumber, decodeText } from "./columns.ts";
import { unavailable } from "./errors.ts";
import { shapeForReading } from "./introspection.ts";
import type { Site } from "./introspection.ts";
import type { Lease } from "./pool.ts";
import { identifiers } from "./quoting.ts";
import type { SiteConnections } from "./site-connections.ts";
import type { Statement } from "./statement.ts";
import { plural } from "../../model/plural.ts";

export interface CreateRequest extends CertificateCreateRequest {
  /** `2039-10-22` */
  readonly expiresOn: string;
}

export interface RestoreRequest extends CertificateCreateRequest {
  readonly from:
    | ({ readonly kind: "files" } & ServerFiles)
    | { readonly kind: "pfx"; readonly path: string }
    | { readonly kind: "bytes"; readonly certificate: Uint8Array; readonly pvk: Uint8Array };
  /** Of the file or bytes of the private key. */
  readonly password: Secret;
}

/** What was done: both scripts leave alone what is there already. */
export interface Made {
  readonly masterKey: "created" | "was there";
  readonly certificate: "created" | "was there";
  /** Principals that got CONTROL. */
  readonly granted: readonly Grantee[];
  readonly thumbprint: string;
}

type Grantee = typeof identifiers.reader | typeof identifiers.writer;

interface Found {
  readonly databaseName: string;
  readonly hasMasterKey: boolean;
  readonly hasCertificate: boolean;
}

const find = async ({ connection }: Lease, signal: AbortSignal): Promise<Found> => {
  const row = await connection.firstRow(findStatement(), { signal });
  return {
    databaseName: decodeText(row[0], "DatabaseName"),
    hasMasterKey: decodeNumber(row[1], "MasterKeys") > 0,
    hasCertificate: decodeNumber(row[2], "Certificates") > 0,
  };
};

/** The certificate that is there, DER; undefined where there is none or the login may not see it. */
const readPresent = async ({ connection }: Lease, signal: AbortSignal): Promise<Uint8Array | undefined> =>
  decodeBytes((await connection.firstRow(readCertificate(), { signal }))[0]);

/** SQL Server 2016. Certificates made by older ones do not work from here on. */
const firstVersionOfNewCertificates = 13;

/** The older ones generate a key of this length; newer ones, a longer one. */
const oldestKeyBits = 1024;

const warningFor = ({ session: { majorVersion } }: Site): string | undefined =>
  majorVersion > 0 && majorVersion < firstVersionOfNewCertificates
    ? "This is SQL Server 2014 or older: a certificate made here does not work on SQL Server 2016 or later. If any site of the " +
      "hierarchy has a later version, create it at the site with the latest one, run backup-cert there, and restore-cert here."
    : undefined;

export const findCertificate = (connections: SiteConnections, signal: AbortSignal): Promise<CertificateState> =>
  connections.read(signal, async (lease, site) => {
    const { hasMasterKey, hasCertificate } = await find(lease, signal);
    const present = hasCertificate ? await readPresent(lease, signal) : undefined;
    return {
      hasMasterKey,
      ...given({
        thumbprint: present && thumbprintOf(present),
        warning: hasCertificate ? undefined : warningFor(site),
      }),
    };
  });

/** Whose CONTROL is missing from the certificate that is there. */
const missingGrants = async (
  { connection }: Lease,
  signal: AbortSignal,
): Promise<{ readonly hasPrivateKey: boolean; readonly missing: readonly Grantee[] }> => {
  const row = await connection.firstRow(inspectCertificate(), { signal });
  const grants = [
    [identifiers.reader, decodeNumber(row[4], "ReadGrants")],
    [identifiers.writer, decodeNumber(row[5], "WriteGrants")],
  ] as const;
  return {
    hasPrivateKey: row[1] !== "NA",
    missing: grants.filter(([, count]) => count === 0).map(([principal]) => principal),
  };
};

const acceptable = (password: Secret): string => {
  const text = revealSecret(password);
  refuseWeakPassword(text);
  return text;
};

const masterKeyStatement = (found: Found, request: CertificateCreateRequest): readonly Statement[] => {
  if (found.hasMasterKey) return [];
  if (request.masterKeyPassword === undefined)
    throw new EndpointError(
      "InvalidArgument",
      "The site database has no master key yet: a password for one is needed.",
    );
  return [createMasterKey(acceptable(request.masterKeyPassword))];
};

/** Refuses a certificate that leaves stored keys unreadable. Asked inside the transaction that made it. */
const checkOpensKeys = async (
  { connection }: Lease,
  site: Site,
  lossIsAccepted: boolean,
  signal: AbortSignal,
): Promise<void> => {
  const [count] = await connection.firstRow(countUnreadableKeys(shapeForReading(site)), { signal });
  const unreadable = decodeNumber(count, "Unreadable");
  if (unreadable === 0 || lossIsAccepted) return;
  throw new EndpointError(
    "ResourceExists",
    `The site database holds ${plural(unreadable, "encrypted key")} that this certificate can't open, ` +
      "so it was not kept. Restore the certificate that encrypted them, or accept their loss by naming the database.",
  );
};

const keyBitsOf = (certificate: Uint8Array): number | undefined =>
  new X509Certificate(certificate).publicKey.asymmetricKeyDetails?.modulusLength;

/**
 * Refuses the certificate of an older SQL Server on one where it does not work. The file doesn't name its maker, so the length of its key
 * tells. One that opens a stored key is kept: a database that was upgraded in place has no other way to those keys.
 * Asked inside the transaction that restored it.
 */
const checkVersion = async (lease: Lease, site: Site, signal: AbortSignal): Promise<void> => {
  if (site.session.majorVersion < firstVersionOfNewCertificates) return;
  const restored = await readPresent(lease, signal);
  if (restored === undefined || (keyBitsOf(restored) ?? oldestKeyBits) > oldestKeyBits) return;
  const [opened] = await lease.connection.firstRow(countOpenedKeys(shapeForReading(site)), { signal });
  if (decodeNumber(opened, "Opened") > 0) return;
  throw new EndpointError(
    "InvalidArgument",
    `The backup's certificate has a key of ${oldestKeyBits} bits, as SQL Server 2014 and older make it: it does not work on SQL Server ` +
      "2016 or later, and opens no key that is stored here. It was not kept. Create the certificate at the site with the latest SQL " +
      "Server, run backup-cert there, and restore that backup at every site.",
  );
};

const rollBackMs = 5000;

interface HowToMake {
  readonly statement: (site: Site) => Statement;
  /** Throws where the certificate that is there is not the one to be made. */
  readonly checkPresent: (lease: Lease, present: Uint8Array | undefined) => Promise<void>;
  /** Throws where what was made must not stay; asked inside the transaction. */
  readonly checkMade: (lease: Lease, site: Site) => Promise<void>;
}

/** Master key, certificate and grants, each if missing, all in one transaction; nothing stays when any part fails. */
const make = (
  connections: SiteConnections,
  request: CertificateCreateRequest,
  { statement, checkPresent, checkMade }: HowToMake,
  signal: AbortSignal,
): Promise<Made> =>
  connections.use(signal, async (lease, site) => {
    const found = await find(lease, signal);
    if (found.hasCertificate) await checkPresent(lease, await readPresent(lease, signal));
    const { missing } = found.hasCertificate
      ? await missingGrants(lease, signal)
      : { missing: [identifiers.reader, identifiers.writer] as const };
    const masterKey = masterKeyStatement(found, request);
    const lossIsAccepted = request.acceptUnreadableKeysIn?.toLowerCase() === found.databaseName.toLowerCase();
    const run = (one: Statement): Promise<unknown> => lease.connection.all(one, { signal });
    if (!found.hasMasterKey || !found.hasCertificate || missing.length > 0)
      try {
        await run(beginTransaction());
        for (const one of masterKey) await run(one);
        if (found.hasCertificate) for (const principal of missing) await run(grantControl(principal));
        else {
          await run(statement(site));
          await checkOpensKeys(lease, site, lossIsAccepted, signal);
          await checkMade(lease, site);
        }
        await run(commitTransaction());
      } catch (error) {
        // The signal may be what ended it, so the roll-back has none; should it fail too, closing the session rolls back.
        await lease.connection
          .all(rollBackTransaction(), { signal: AbortSignal.timeout(rollBackMs) })
          .catch(() => lease.discard());
        throw error;
      }
    const made = await readPresent(lease, signal);
    if (made === undefined)
      throw unavailable(
        "The certificate was made, but can't be seen by this endpoint's login.",
        "CERTENCODED gave NULL",
      );
    return {
      masterKey: found.hasMasterKey ? "was there" : "created",
      certificate: found.hasCertificate ? "was there" : "created",
      granted: missing,
      thumbprint: thumbprintOf(made),
    };
  });

/** Is it a day of the calendar? Date.parse takes 31 February for 3 March. */
const isDay = (text: string): boolean => {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
};

/** Creates BitLockerManagement_CERT as Microsoft's script does. Run again, it changes nothing. */
export const createCertificate = async (
  connections: SiteConnections,
  request: CreateRequest,
  signal: AbortSignal,
): Promise<Made> => {
  const day = /^(\d{4})-(\d\d)-(\d\d)$/.exec(request.expiresOn);
  if (day === null || !isDay(request.expiresOn))
    throw new EndpointError("InvalidArgument", "The day of expiry must be a date, as 2039-10-22.");
  const statement = (): Statement => createStatement(`${day[1]}${day[2]}${day[3]}`);
  const nothing = (): Promise<void> => Promise.resolve();
  return make(connections, request, { statement, checkPresent: nothing, checkMade: nothing }, signal);
};

const firstVersionWithPfx = 16;

const restoreStatement = ({ from, password }: RestoreRequest, site: Site): Statement => {
  // Not checked against our rule: whatever the backup was made with must be able to open it.
  const text = revealSecret(password);
  switch (from.kind) {
    case "files":
      return restoreFromFiles(from, text);
    case "pfx":
      if (site.session.majorVersion < firstVersionWithPfx)
        throw new EndpointError("InvalidArgument", "This site's SQL Server can't read PFX files; use the other form.");
      return restoreFromPfx(from.path, text);
    case "bytes":
      return restoreFromBytes(from.certificate, from.pvk, text);
  }
};

/** The certificate of the backup, where it can be had without the key; undefined where not. */
const certificateOf = async (
  { connection }: Lease,
  { from }: RestoreRequest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> => {
  if (from.kind === "bytes") return from.certificate;
  if (from.kind === "pfx") return undefined;
  // A file that can't be read is not the certificate that is there; that one stays as it is.
  const [bytes] = await connection
    .firstRow(readServerFile(from.certificatePath), { signal })
    .catch((error: unknown) => {
      if (error instanceof EndpointError && error.category === "ObjectNotFound") return [];
      throw error;
    });
  return decodeBytes(bytes);
};

/**
 * Restores it from files that SQL Server can see, or from a copy. Never over one that is there: where that is the backup's own,
 * its missing permissions are granted, else it is left as it is.
 */
export const restoreCertificate = async (
  connections: SiteConnections,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<Made> => {
  if (revealSecret(request.password) === "")
    throw new EndpointError("InvalidArgument", "The password of the private key is needed.");
  const checkPresent: HowToMake["checkPresent"] = async (lease, present) => {
    const backup = await certificateOf(lease, request, signal);
    if (backup === undefined || present === undefined || !Buffer.from(backup).equals(present))
      throw new EndpointError(
        "ResourceExists",
        `${identifiers.certificate} is already there, and is not known to be the backup's. It was left as it is.`,
      );
    if (!(await missingGrants(lease, signal)).hasPrivateKey)
      throw new EndpointError(
        "ResourceExists",
        `${identifiers.certificate} is there without its private key. SQL Server's administrator has to drop it first.`,
      );
  };
  const checkMade: HowToMake["checkMade"] = (lease, site) => checkVersion(lease, site, signal);
  const statement = (site: Site): Statement => restoreStatement(request, site);
  return make(connections, request, { statement, checkPresent, checkMade }, signal);
};
