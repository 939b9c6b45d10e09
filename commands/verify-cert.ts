import { defineCommand, outputFormats } from "../server/command/define-command.ts";
import { oneBatch } from "./one-batch.ts";
import { oneOf } from "../server/command/parameter-kinds.ts";
import { flag, value } from "../server/command/parameters.ts";

export const verifyCert = defineCommand({
  name: "verify-cert",
  synopsis: "Checks the BitLocker management certificate and its permissions.",
  description:
    "Checks that BitLockerManagement_CERT is in the site database with the permissions that the recovery service needs, and " +
    "that it can still be used. The exit status is 0 when it is valid and 1 when it is not; a finding of weight advice leaves it valid.",
  examples: [
    { line: "verify-cert", explains: "Every check, and what to do about one that failed." },
    { line: "verify-cert -raw", explains: "1 when valid, else 0, as Microsoft's own script prints it." },
  ],
  parameters: {
    raw: flag({ synopsis: "Print 1 when the certificate is valid, else 0, and nothing else." }),
    Format: value(oneOf(outputFormats), { synopsis: "How rows are written." }),
  },
  conflict: (values) =>
    values.raw === true && values.Format !== undefined ? "-raw prints one digit: leave -Format out." : undefined,
  answersRows: (values) => values.raw !== true,
  run: async (values, { siteDatabase, signal }) => {
    const { valid, findings } = await siteDatabase.verifyCertificate(signal);
    const exitStatus = valid ? 0 : 1;
    if (values.raw === true) return { kind: "text", text: valid ? "1" : "0", exitStatus };
    return {
      kind: "rows",
      columns: [
        { name: "Check", width: 16 },
        { name: "Weight", width: 8 },
        { name: "Passed", width: 6 },
        { name: "Finding", width: 60 },
      ],
      batches: oneBatch(findings.map(({ check, weight, passed, finding }) => [check, weight, passed, finding])),
      count: () => Promise.resolve(findings.length),
      exitStatus: () => exitStatus,
      ...(values.Format === undefined ? {} : { format: values.Format }),
    };
  },
});
