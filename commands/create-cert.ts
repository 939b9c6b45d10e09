import { acceptLosing, agreeTo, changeRequest, force, madeColumns, rowsOfMade } from "./change-certificate.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

export const createCert = rowsCommand({
  name: "create-cert",
  synopsis: "Creates the BitLocker management certificate, or what is missing of it.",
  description:
    "Creates the database master key, BitLockerManagement_CERT and the CONTROL permissions that the recovery service needs, each only " +
    "where it is missing; what is there is left alone. A new certificate is not kept where encrypted keys are stored that it can't open. " +
    "You are asked before anything is changed; where the database has no master key, also for a password, which a script gives as " +
    "the first line of standard input. Back a new certificate up at once.",
  examples: [
    { line: "create-cert", explains: "Asks, then creates what is missing, and says for each part what was done." },
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
    await agreeTo(
      {
        command: "create-cert",
        question:
          state.thumbprint === undefined
            ? "This creates BitLockerManagement_CERT with its permissions."
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
