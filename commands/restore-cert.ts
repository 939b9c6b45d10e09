import { backupFiles } from "./backup-files.ts";
import { acceptLosing, agreeTo, changeRequest, force, madeColumns, rowsOfMade } from "./change-certificate.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const restoreCert = rowsCommand({
  name: "restore-cert",
  synopsis: "Restores the BitLocker management certificate from a backup.",
  description:
    "Restores the missing parts of BitLockerManagement_CERT, its private key and its permissions, from files in the endpoint's backup " +
    "directory. You are asked before anything changes, and for the backup's password. A script gives it as the first line of standard " +
    "input. A database without a master key also needs a password for one, as the second line. Another certificate is never replaced. A " +
    "certificate that can't open every encrypted key is not kept, unless you accept the loss by naming the database. On SQL Server 2016 or later, a certificate that SQL " +
    "Server 2014 or older made is not kept, unless it opens a key that is stored.",
  examples: [
    { line: "restore-cert -Name site-2026", explains: "From site-2026.cer and site-2026.key." },
    { line: "restore-cert -Name site-2026 -Form Pfx -Force", explains: "From site-2026.pfx, for a script." },
  ],
  parameters: {
    ...backupFiles,
    AcceptLosing: acceptLosing,
    Force: force,
  },
  columns: madeColumns,
  rows: async (values, context) => {
    const { siteDatabase, signal } = context;
    const state = await siteDatabase.findCertificate(signal);
    await agreeTo(
      {
        command: "restore-cert",
        question: `This restores BitLockerManagement_CERT from the backup ${values.Name}.`,
        force: values.Force,
        acceptLosing: values.AcceptLosing,
      },
      context,
    );
    const password = await context.askPassword("Password of the backup", "existing");
    const request = {
      name: values.Name,
      form: values.Form ?? "Pkcs8",
      password,
      ...(await changeRequest(state, values.AcceptLosing, context)),
    } as const;
    return rowsOfMade(await siteDatabase.restoreCertificate(request, signal));
  },
});
