import { acceptLosing, agreeTo, changeRequest, force, madeColumns, rowsOfMade } from "./change-certificate.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const createCert = rowsCommand({
  name: "create-cert",
  synopsis: "Creates the BitLocker management certificate, or what is missing of it.",
  description:
    "Creates the database master key, BitLockerManagement_CERT and the CONTROL permissions of the recovery service, where they are " +
    "missing. A new certificate is not kept if it can't open the encrypted keys that are stored. You are asked before anything changes. " +
    "A database without a master key also needs a password; a script gives it as the first line of standard input. Back up a new " +
    "certificate at once. SQL Server 2014 and older make certificates that do not work on later versions: you are warned there.",
  examples: [
    { line: "create-cert", explains: "Asks, creates the missing parts, and reports each part." },
    { line: "create-cert -Force", explains: "The same for a script." },
  ],
  parameters: {
    AcceptLosing: acceptLosing,
    Force: force,
  },
  columns: madeColumns,
  rows: async (values, context) => {
    const { siteDatabase, signal } = context;
    const state = await siteDatabase.findCertificate(signal);
    const { warning } = state;
    if (warning !== undefined && !context.interactive) await context.tell(warning);
    await agreeTo(
      {
        command: "create-cert",
        question:
          state.thumbprint === undefined
            ? `${warning === undefined ? "" : `${warning} `}This creates BitLockerManagement_CERT with its permissions.`
            : "BitLockerManagement_CERT is there. This grants what is missing of its permissions.",
        force: values.Force,
        acceptLosing: values.AcceptLosing,
      },
      context,
    );
    const request = await changeRequest(state, values.AcceptLosing, context);
    return rowsOfMade(await siteDatabase.createCertificate(request, signal));
  },
});
