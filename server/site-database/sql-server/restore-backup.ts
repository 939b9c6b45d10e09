import { randomBytes } from "node:crypto";
import { Secret } from "../../secret.ts";
import { checkBackupName } from "../backup-files.ts";
import type { CertificateMade, CertificateRestoreRequest } from "../../command/site-database.ts";
import { joinServerPath, openOwnBackup } from "./backup-certificate.ts";
import type { BackupPlaces } from "./backup-certificate.ts";
import { unavailable } from "./errors.ts";
import { restoreCertificate } from "./make-certificate.ts";
import type { Made, RestoreRequest } from "./make-certificate.ts";
import { encodePvk } from "./pvk.ts";
import { identifiers } from "./quoting.ts";
import type { SiteConnections } from "./site-connections.ts";

/** What was made, in the port's words. */
export const describeMade = (made: Made, word: "created" | "restored"): CertificateMade => ({
  thumbprint: made.thumbprint,
  parts: [
    { part: "master key", result: made.masterKey },
    { part: identifiers.certificate, result: made.certificate === "created" ? word : "was there" },
    ...[identifiers.reader, identifiers.writer].map((principal) => ({
      part: `CONTROL for ${principal}`,
      result: made.granted.includes(principal) ? ("granted" as const) : ("was there" as const),
    })),
  ],
});

/** Files that SQL Server wrote, and reads itself; the user's password has to go into the statement. */
const fromServer = (directory: string, { name, form }: CertificateRestoreRequest): RestoreRequest["from"] => {
  checkBackupName(name);
  const path = (ending: string): string => joinServerPath(directory, `${name}${ending}`);
  return form === "Pfx"
    ? { kind: "pfx", path: path(".pfx") }
    : { kind: "files", certificatePath: path(".cer"), keyPath: path(".pvk") };
};

/** Restores what `backupCertificate` wrote, from where it wrote it. */
export const restoreBackup = async (
  connections: SiteConnections,
  { backupDirectory, serverBackupDirectory }: BackupPlaces,
  request: CertificateRestoreRequest,
  signal: AbortSignal,
): Promise<CertificateMade> => {
  if (serverBackupDirectory !== undefined) {
    const restore = { ...request, from: fromServer(serverBackupDirectory, request) };
    return describeMade(await restoreCertificate(connections, restore, signal), "restored");
  }
  if (backupDirectory === undefined)
    throw unavailable("No backup directory is configured on this endpoint.", "backupDirectory is not set");
  const { certificate, privateKey } = await openOwnBackup(backupDirectory, request);
  // Opened here, sent under a password of this moment: the user's never gets into a statement, where a trace could show it.
  const password = `Aa1-${randomBytes(24).toString("base64url")}`;
  const pvk = encodePvk(privateKey, password);
  const restore = { ...request, from: { kind: "bytes", certificate, pvk }, password: new Secret(password) } as const;
  return describeMade(await restoreCertificate(connections, restore, signal), "restored");
};
