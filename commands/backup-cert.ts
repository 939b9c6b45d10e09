import { backupFiles } from "./backup-files.ts";
import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import { oneBatch } from "./one-batch.ts";
import { oneOf } from "../server/command/parameter-kinds.ts";
import { value } from "../server/command/parameters.ts";

export const backupCert = defineCommand({
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
  parameters: {
    ...backupFiles,
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  run: async (values, context) => {
    const password = await context.askPassword(
      "Password for the private key's backup (12 characters or more of three kinds: capitals, small letters, digits, others)",
      "new",
    );
    const backup = await context.siteDatabase.backupCertificate(
      { name: values.Name, form: values.Form ?? "Pkcs8", password },
      context.signal,
    );
    return {
      kind: "rows",
      columns: [
        { name: "File", width: 24 },
        { name: "Bytes", width: 6 },
        { name: "SHA256", width: 64 },
        { name: "Thumbprint", width: 64 },
      ],
      batches: oneBatch(
        backup.files.map(({ fileName, bytes, sha256 }) => [fileName, bytes, sha256, backup.thumbprint]),
      ),
      ...(values.Format === undefined ? {} : { format: values.Format }),
    };
  },
});
