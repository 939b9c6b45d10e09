import { EndpointError } from "../../errors.ts";
import { revealSecret } from "../../secret.ts";
import type { Secret } from "../../secret.ts";
import { isAcceptablePassword, passwordRule } from "../password-policy.ts";
import {
  beginTransaction,
  commitTransaction,
  countUnreadableKeys,
  createCertificate as createStatement,
  createMasterKey,
  findCertificate,
  restoreFromBytes,
  restoreFromFiles,
  restoreFromPfx,
  rollBackTransaction,
} from "./certificate-statements.ts";
import type { ServerFiles } from "./certificate-statements.ts";
import { decodeNumber, decodeText } from "./columns.ts";
import { shapeForReading } from "./introspection.ts";
import type { Site } from "./introspection.ts";
import type { Lease } from "./pool.ts";
import { identifiers } from "./quoting.ts";
import type { SiteConnections } from "./site-connections.ts";
import type { Statement } from "./statement.ts";

interface MakeRequest {
  /** For a master key, where the database has none; asked for by the commands only then. */
  readonly masterKeyPassword?: Secret;
  /**
   * The database's name, typed by the person who accepts that encrypted keys which the certificate can't open stay lost.
   * Without it such a certificate is not kept.
   */
  readonly acceptUnreadableKeysIn?: string;
}

export interface CreateRequest extends MakeRequest {
  /** `2039-10-22` */
  readonly expiresOn: string;
}

export interface RestoreRequest extends MakeRequest {
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
}

interface Found {
  readonly databaseName: string;
  readonly hasMasterKey: boolean;
  readonly hasCertificate: boolean;
}

const find = async ({ connection }: Lease, signal: AbortSignal): Promise<Found> => {
  const row = (await connection.all(findCertificate(), { signal }))[0]?.rows[0] ?? [];
  return {
    databaseName: decodeText(row[0], "DatabaseName"),
    hasMasterKey: decodeNumber(row[1], "MasterKeys") > 0,
    hasCertificate: decodeNumber(row[2], "Certificates") > 0,
  };
};

const acceptable = (password: Secret): string => {
  const text = revealSecret(password);
  if (!isAcceptablePassword(text)) throw new EndpointError("InvalidArgument", passwordRule);
  return text;
};

const masterKeyStatement = (found: Found, request: MakeRequest): readonly Statement[] => {
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
  found: Found,
  request: MakeRequest,
  signal: AbortSignal,
): Promise<void> => {
  const batches = await connection.all(countUnreadableKeys(shapeForReading(site)), { signal });
  const unreadable = decodeNumber(batches[0]?.rows[0]?.[0], "Unreadable");
  if (unreadable === 0) return;
  if (request.acceptUnreadableKeysIn?.toLowerCase() === found.databaseName.toLowerCase()) return;
  throw new EndpointError(
    "ResourceExists",
    `The site database holds ${unreadable} encrypted ${unreadable === 1 ? "key" : "keys"} that this certificate can't open, ` +
      "so it was not kept. Restore the certificate that encrypted them, or accept their loss by naming the database.",
  );
};

const rollBackMs = 5000;

/** Master key if missing, certificate if missing, its grants, all in one transaction; nothing stays when any part fails. */
const make = (
  connections: SiteConnections,
  request: MakeRequest,
  { statement, mayBeThere }: { readonly statement: () => Statement; readonly mayBeThere: boolean },
  signal: AbortSignal,
): Promise<Made> =>
  connections.use(signal, async (lease, site) => {
    const found = await find(lease, signal);
    if (found.hasCertificate && !mayBeThere)
      throw new EndpointError("ResourceExists", `${identifiers.certificate} is already there. It was left as it is.`);
    const made: Made = {
      masterKey: found.hasMasterKey ? "was there" : "created",
      certificate: found.hasCertificate ? "was there" : "created",
    };
    if (found.hasMasterKey && found.hasCertificate) return made;
    const masterKey = masterKeyStatement(found, request);
    const run = (one: Statement): Promise<unknown> => lease.connection.all(one, { signal });
    try {
      await run(beginTransaction());
      for (const one of masterKey) await run(one);
      if (!found.hasCertificate) {
        await run(statement());
        await checkOpensKeys(lease, site, found, request, signal);
      }
      await run(commitTransaction());
    } catch (error) {
      // The signal may be what ended it, so the roll-back has none; should it fail too, closing the session rolls back.
      await lease.connection
        .all(rollBackTransaction(), { signal: AbortSignal.timeout(rollBackMs) })
        .catch(() => lease.discard());
      throw error;
    }
    return made;
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
  return make(connections, request, { statement, mayBeThere: true }, signal);
};

const restoreStatement = ({ from, password }: RestoreRequest): Statement => {
  // Not checked against our rule: whatever the backup was made with must be able to open it.
  const text = revealSecret(password);
  switch (from.kind) {
    case "files":
      return restoreFromFiles(from, text);
    case "pfx":
      return restoreFromPfx(from.path, text);
    case "bytes":
      return restoreFromBytes(from.certificate, from.pvk, text);
  }
};

/** Restores it from files that SQL Server can see, or from a copy. Never over one that is there. */
export const restoreCertificate = async (
  connections: SiteConnections,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<Made> => {
  if (revealSecret(request.password) === "")
    throw new EndpointError("InvalidArgument", "The password of the private key is needed.");
  return make(connections, request, { statement: () => restoreStatement(request), mayBeThere: false }, signal);
};
