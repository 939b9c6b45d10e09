import { createHash, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { EndpointError } from "../../errors.ts";
import { revealSecret } from "../../secret.ts";
import { checkBackupName, writeBackupFiles } from "../backup-files.ts";
import type { BackupFile } from "../backup-files.ts";
import { decodeKeyFile, decodePfx, encodeKeyFile, encodePfx, isKeyOf } from "../key-files.ts";
import { openBackup } from "../open-backup.ts";
import type { OpenedBackup } from "../open-backup.ts";
import { refuseWeakPassword } from "../refuse-weak-password.ts";
import type {
  CertificateBackup,
  CertificateBackupRequest,
  CertificateRestoreRequest,
} from "../../command/site-database.ts";
import {
  backupToFiles,
  backupToPfx,
  exportCertificate,
  readCertificate,
  readServerFile,
} from "./certificate-statements.ts";
import { decodeBytes } from "./columns.ts";
import type { SqlConnection } from "./connection.ts";
import { throwIfStopped, unavailable } from "./errors.ts";
import { decodePvk } from "./pvk.ts";
import { identifiers } from "./quoting.ts";
import type { SiteConnections } from "./site-connections.ts";

export interface BackupPlaces {
  /** The endpoint's own, for a copy. */
  readonly backupDirectory: string | undefined;
  /** As SQL Server sees it: it writes the files itself. */
  readonly serverBackupDirectory: string | undefined;
}

interface Exported {
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const notExported = (cause: string): EndpointError =>
  unavailable("The certificate could not be read with its private key; the log says more.", cause);

/**
 * Takes certificate and key over the connection. Under a password of our own, made for this one answer: the user's never
 * gets into a statement, where a trace could show it, and the weak RC4 of the PVK protects nothing that lasts.
 * Both functions answer NULL when there is something they can't give; that is never written as an empty backup.
 */
const exportPair = async (connection: SqlConnection, signal: AbortSignal): Promise<Exported> => {
  // The prefix satisfies a password policy, in case the server applies one here.
  const password = `Aa1-${randomBytes(24).toString("base64url")}`;
  const cells = await connection.firstRow(exportCertificate(password), { signal });
  const certificate = decodeBytes(cells[0]);
  const pvk = decodeBytes(cells[1]);
  if (certificate === undefined)
    throw notExported("CERTENCODED gave NULL: no certificate, or the login may not see it");
  if (pvk === undefined)
    throw notExported("CERTPRIVATEKEY gave NULL: no private key, no CONTROL on it, or the master key is not open");
  try {
    const privateKey = decodePvk(pvk, password);
    if (!isKeyOf(certificate, privateKey)) throw new Error("the private key belongs to another certificate");
    return { certificate, privateKey };
  } catch (error) {
    throw notExported(`CERTPRIVATEKEY: ${error instanceof Error ? error.message : "unreadable"}`);
  } finally {
    pvk.fill(0);
  }
};

const encodeCopy = async (
  { certificate, privateKey }: Exported,
  { form, name }: CertificateBackupRequest,
  password: Uint8Array,
): Promise<readonly BackupFile[]> =>
  form === "Pfx"
    ? [{ fileName: `${name}.pfx`, bytes: await encodePfx(certificate, privateKey, password, identifiers.certificate) }]
    : [
        { fileName: `${name}.cer`, bytes: certificate },
        { fileName: `${name}.key`, bytes: await encodeKeyFile(privateKey, password) },
      ];

/** Would these files bring the certificate and its key back? */
const checkCopy = async (
  exported: Exported,
  form: CertificateBackupRequest["form"],
  password: Uint8Array,
  written: readonly Uint8Array[],
): Promise<void> => {
  const [first = new Uint8Array(), second = new Uint8Array()] = written;
  const back =
    form === "Pfx"
      ? await decodePfx(first, password)
      : { certificate: first, privateKey: await decodeKeyFile(second, password) };
  if (!Buffer.from(back.certificate).equals(exported.certificate) || !isKeyOf(exported.certificate, back.privateKey))
    throw new Error("what was read back is not what was backed up");
};

/** Whom questions go to, and until when. */
interface Asking {
  readonly connection: SqlConnection;
  readonly signal: AbortSignal;
}

/** A copy on the endpoint's side: exclusively, 0600, checked, all files or none. */
const writeCopy = async (
  { connection, signal }: Asking,
  directory: string,
  request: CertificateBackupRequest,
  password: Uint8Array,
): Promise<CertificateBackup> => {
  const exported = await exportPair(connection, signal);
  const encoded = await encodeCopy(exported, request, password);
  throwIfStopped(signal);
  const files = await writeBackupFiles(directory, encoded, (written) =>
    checkCopy(exported, request.form, password, written),
  );
  return { thumbprint: sha256(exported.certificate), files };
};

/** A file of the backup directory, as SQL Server sees it. */
export const joinServerPath = (directory: string, name: string): string =>
  `${directory.replace(/[\\/]+$/, "")}${directory.startsWith("/") ? "/" : "\\"}${name}`;

const firstVersionWithPfx = 16;
const fileNotThere = "ObjectNotFound";

/**
 * Has SQL Server write the files. It makes them with its own account's permissions and never overwrites one; that is all
 * that can be said of them from here, so they are read back through the server before anybody is told that there is a backup.
 */
const writeOnServer = async (
  { connection, signal }: Asking,
  directory: string,
  request: CertificateBackupRequest,
  password: string,
): Promise<CertificateBackup> => {
  // `.pvk`, not `.key`: the server writes CryptoAPI's form, not PKCS #8.
  const names = request.form === "Pfx" ? [`${request.name}.pfx`] : [`${request.name}.cer`, `${request.name}.pvk`];
  const paths = names.map((name) => joinServerPath(directory, name));
  const read = async (path: string): Promise<Uint8Array | undefined> =>
    decodeBytes((await connection.firstRow(readServerFile(path), { signal }))[0]);
  for (const [i, path] of paths.entries()) {
    const found = await read(path).then(
      () => true,
      (error: unknown) => {
        if (error instanceof EndpointError && error.category === fileNotThere) return false;
        throw error;
      },
    );
    if (found) throw new EndpointError("ResourceExists", `${names[i]} is already there. Choose another name.`);
  }
  const certificate = decodeBytes((await connection.firstRow(readCertificate(), { signal }))[0]);
  if (certificate === undefined)
    throw notExported("CERTENCODED gave NULL: no certificate, or the login may not see it");
  const [certificatePath = "", keyPath = ""] = paths;
  const statement =
    request.form === "Pfx"
      ? backupToPfx(certificatePath, password)
      : backupToFiles({ certificatePath, keyPath }, password);
  await connection.all(statement, { signal });
  const written: Uint8Array[] = [];
  for (const path of paths) {
    const bytes = await read(path);
    if (bytes === undefined)
      throw unavailable("The backup could not be read back, so don't rely on it.", `${path} is empty`);
    written.push(bytes);
  }
  checkServerFiles(certificate, request.form, password, written);
  return {
    thumbprint: sha256(certificate),
    files: written.map((bytes, i) => ({ fileName: names[i] ?? "", bytes: bytes.length, sha256: sha256(bytes) })),
  };
};

/** A PFX of SQL Server's is checked for being there and not empty only: its algorithms are not documented. */
const checkServerFiles = (
  certificate: Uint8Array,
  form: CertificateBackupRequest["form"],
  password: string,
  [first = new Uint8Array(), second = new Uint8Array()]: readonly Uint8Array[],
): void => {
  if (form === "Pfx") return;
  try {
    if (!Buffer.from(first).equals(certificate)) throw new Error("the file holds another certificate");
    if (!isKeyOf(certificate, decodePvk(second, password))) throw new Error("the key belongs to another certificate");
  } catch (error) {
    throw new EndpointError("ResourceUnavailable", "The backup that was written can't be read, so don't rely on it.", {
      cause: error,
    });
  }
};

/** Backs the certificate up with its private key, where the configuration says. On the primary; not repeated. */
export const backupCertificate = async (
  connections: SiteConnections,
  { backupDirectory, serverBackupDirectory }: BackupPlaces,
  request: CertificateBackupRequest,
  signal: AbortSignal,
): Promise<CertificateBackup> => {
  checkBackupName(request.name);
  const text = revealSecret(request.password);
  refuseWeakPassword(text);
  return connections.use(signal, async ({ connection }, site) => {
    if (serverBackupDirectory !== undefined) {
      if (request.form === "Pfx" && site.session.majorVersion < firstVersionWithPfx)
        throw new EndpointError(
          "InvalidArgument",
          "This site's SQL Server can't write PFX files; choose the other form.",
          {
            cause: new Error(`SQL Server version ${site.session.majorVersion}; PFX needs 16 (2022)`),
          },
        );
      return writeOnServer({ connection, signal }, serverBackupDirectory, request, text);
    }
    if (backupDirectory === undefined)
      throw unavailable("No backup directory is configured on this endpoint.", "backupDirectory is not set");
    const password = Buffer.from(text, "latin1");
    try {
      return await writeCopy({ connection, signal }, backupDirectory, request, password);
    } finally {
      password.fill(0);
    }
  });
};

/** Opens what was written above. Here, because this file opens passwords of backups already, and few files do. */
export const openOwnBackup = (directory: string, request: CertificateRestoreRequest): Promise<OpenedBackup> =>
  openBackup(directory, request, revealSecret(request.password));
