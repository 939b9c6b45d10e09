import { backupFiles } from "./backup-files.ts";
import { acceptLosing, agreeTo, changeRequest, force, madeColumns, rowsOfMade } from "./change-certificate.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const restoreCert = rowsCommand({
  name: "restore-cert",
  synopsis: "Restores the BitLocker management certificate from a backup.",
  description:
    "Brings back what is missing of BitLockerManagement_CERT, its private key and its permissions, from files in the endpoint's backup " +
    "directory. You are asked before anything is changed, and for the backup's password; a script gives it as the first line of standard " +
    "input, and as the second one a password for the master key where the database has none. Another certificate that is there is never " +
    "replaced. A certificate that can't open every encrypted key is not kept, unless their loss is accepted by naming the database.",
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
