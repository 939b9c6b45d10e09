import type { DatabaseSync } from "node:sqlite";
import { revealSecret } from "../../secret.ts";
import { EndpointError } from "../../errors.ts";
import { checkAreFree, checkBackupName, writeBackupFiles } from "../backup-files.ts";
import type { BackupFile } from "../backup-files.ts";
import { decodeKeyFile, decodePfx, encodeKeyFile, encodePfx, isKeyOf, thumbprintOf } from "../key-files.ts";
import { openBackup } from "../open-backup.ts";
import type { OpenedBackup } from "../open-backup.ts";
import { refuseWeakPassword } from "../refuse-weak-password.ts";
import type {
  CertificateBackup,
  CertificateBackupRequest,
  CertificateRestoreRequest,
} from "../../command/site-database.ts";
import { withLockPatience, writeTransaction } from "./connection.ts";
import { throwIfStopped } from "./failures.ts";
import type { CertificateAccess, OwnedCertificate } from "./principals.ts";
import { certificateName } from "./schema.ts";

interface BackupParts {
  readonly database: DatabaseSync;
  readonly access: CertificateAccess;
  readonly backupDirectory: string;
  readonly lockWaitMs: number;
}

const fileNamesOf = ({ name, form }: Pick<CertificateBackupRequest, "name" | "form">): readonly string[] =>
  form === "Pfx" ? [`${name}.pfx`] : [`${name}.cer`, `${name}.key`];

const encode = async (
  { certificate, privateKey }: Pick<OwnedCertificate, "certificate" | "privateKey">,
  { name, form }: CertificateBackupRequest,
  password: Uint8Array,
): Promise<readonly BackupFile[]> =>
  form === "Pfx"
    ? [{ fileName: `${name}.pfx`, bytes: await encodePfx(certificate, privateKey, password, certificateName) }]
    : [
        { fileName: `${name}.cer`, bytes: certificate },
        { fileName: `${name}.key`, bytes: await encodeKeyFile(privateKey, password) },
      ];

/** Would these files bring back this certificate and a key that opens its cells? Read as a restore would read them. */
const bringsBack = async (
  owned: Pick<OwnedCertificate, "certificate" | "privateKey">,
  request: CertificateBackupRequest,
  password: Uint8Array,
  written: readonly Uint8Array[],
): Promise<boolean> => {
  const [first, second] = written;
  if (first === undefined) return false;
  const restored =
    request.form === "Pfx"
      ? await decodePfx(first, password)
      : second && { certificate: first, privateKey: await decodeKeyFile(second, password) };
  return (
    restored !== undefined &&
    Buffer.from(restored.certificate).equals(owned.certificate) &&
    isKeyOf(owned.certificate, restored.privateKey)
  );
};

/** Writes a certificate and its private key as files, checks them, and only then notes that there is a backup. */
export const writeOwnBackup = async (
  owned: Pick<OwnedCertificate, "certificate" | "privateKey">,
  request: CertificateBackupRequest,
  { backupDirectory, noted }: { readonly backupDirectory: string; readonly noted: () => Promise<void> },
  signal: AbortSignal,
): Promise<CertificateBackup> => {
  checkBackupName(request.name);
  const text = revealSecret(request.password);
  refuseWeakPassword(text);
  const password = Buffer.from(text, "latin1");
  try {
    await checkAreFree(backupDirectory, fileNamesOf(request));
    const encoded = await encode(owned, request, password);
    throwIfStopped(signal);
    const files = await writeBackupFiles(backupDirectory, encoded, async (written) => {
      if (!(await bringsBack(owned, request, password, written)))
        throw new Error("what was read back is not what was backed up");
      await noted();
    });
    return { thumbprint: thumbprintOf(owned.certificate), files };
  } finally {
    password.fill(0);
  }
};

/** Whether a file of this backup is there already. */
export const isThere = async (
  directory: string,
  request: Pick<CertificateBackupRequest, "name" | "form">,
): Promise<boolean> => {
  checkBackupName(request.name);
  try {
    await checkAreFree(directory, fileNamesOf(request));
    return false;
  } catch (error) {
    if (error instanceof EndpointError && error.category === "ResourceExists") return true;
    throw error;
  }
};

/** Backs up the certificate that is there. */
export const backupCertificate = async (
  { database, access, backupDirectory, lockWaitMs }: BackupParts,
  request: CertificateBackupRequest,
  signal: AbortSignal,
): Promise<CertificateBackup> => {
  checkBackupName(request.name);
  refuseWeakPassword(revealSecret(request.password));
  const owned = await withLockPatience({ signal, lockWaitMs }, () => access.ownedCertificate());
  const noted = (): Promise<void> =>
    withLockPatience({ signal, lockWaitMs }, () =>
      writeTransaction(database, () => {
        database
          .prepare("UPDATE sys_certificates SET pvt_key_last_backup_date = ? WHERE certificate_id = ?")
          .run(Date.now(), owned.certificateId);
      }),
    );
  return writeOwnBackup(owned, request, { backupDirectory, noted }, signal);
};

/** Opens what was written above. Here, because this file opens passwords of backups already, and few files do. */
export const openOwnBackup = (directory: string, request: CertificateRestoreRequest): Promise<OpenedBackup> =>
  openBackup(directory, request, revealSecret(request.password));
