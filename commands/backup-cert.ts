import { backupFiles } from "./backup-files.ts";
import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";

export const backupCert = rowsCommand({
  name: "backup-cert",
  synopsis: "Backs up the BitLocker management certificate with its private key.",
  description:
    "Writes BitLockerManagement_CERT and its private key into the endpoint's backup directory, encrypted with a password that you are " +
    "asked for; a script gives it as the first line of standard input. Existing files are never overwritten. Store the files and the " +
    "password in a safe place each, outside the site.",
  examples: [
    { line: "backup-cert -Name site-2026", explains: "site-2026.cer and site-2026.key." },
    { line: "backup-cert -Name site-2026 -Form Pfx", explains: "One file for Windows: site-2026.pfx." },
  ],
  parameters: backupFiles,
  columns: columnsOf({ File: 24, Bytes: 6, SHA256: 64, Thumbprint: 64 }),
  rows: async ({ Name: name, Form: form = "Pkcs8" }, { askPassword, siteDatabase, signal }) => {
    const password = await askPassword(
      "Password for the private key's backup (12 characters or more of three kinds: capitals, small letters, digits, others)",
      "new",
    );
    const { files, thumbprint } = await siteDatabase.backupCertificate({ name, form, password }, signal);
    return files.map(({ fileName, bytes, sha256 }) => [fileName, bytes, sha256, thumbprint]);
  },
});
