import { flag } from "../server/command/parameters.ts";
import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";

export const verifyCert = rowsCommand({
  name: "verify-cert",
  synopsis: "Checks the BitLocker management certificate and its permissions.",
  description:
    "Checks that BitLockerManagement_CERT is in the site database with the permissions that the recovery service needs, and " +
    "that it can still be used. The exit status is 0 when it is valid and 1 when it is not; a finding of weight advice leaves it valid.",
  examples: [
    { line: "verify-cert", explains: "Every check, and what to do about one that failed." },
    { line: "verify-cert -raw", explains: "1 when valid, else 0, as Microsoft's own script prints it." },
  ],
  parameters: { raw: flag({ synopsis: "Print 1 when the certificate is valid, else 0, and nothing else." }) },
  textWith: "raw",
  columns: columnsOf({ Check: 16, Weight: 8, Passed: 6, Finding: 60 }),
  rows: async ({ raw }, { siteDatabase, signal }) => {
    const { valid, findings } = await siteDatabase.verifyCertificate(signal);
    const exitStatus = valid ? 0 : 1;
    if (raw === true) return { kind: "text", text: valid ? "1" : "0", exitStatus };
    return { rows: findings.map(({ check, weight, passed, finding }) => [check, weight, passed, finding]), exitStatus };
  },
});
