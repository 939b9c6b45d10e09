import type { CertificateFinding, CertificateVerification } from "../server/command/site-database.ts";
import { certificateThumbprint } from "../server/command/parameter-kinds.ts";
import { flag, list } from "../server/command/parameters.ts";
import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";

/** Is each of these this site's certificate? Every site database of a hierarchy must have the same one. */
const compare = (
  { thumbprints }: CertificateVerification,
  others: readonly string[],
): readonly CertificateFinding[] => {
  const own = thumbprints === undefined ? [] : [thumbprints.sha1, thumbprints.sha256];
  return others.map((other) => {
    const passed = own.includes(other);
    return {
      check: "same-certificate",
      weight: "required",
      passed,
      finding: passed
        ? `${other} is this site's certificate.`
        : thumbprints === undefined
          ? `${other} could not be compared: this site's certificate can't be seen.`
          : `${other} is another certificate than this site's. Every site needs the same one: ` +
            "back it up at the site with the latest SQL Server, and restore it at the others.",
    };
  });
};

const thumbprintOf = ({ thumbprints }: CertificateVerification): readonly CertificateFinding[] =>
  thumbprints === undefined
    ? []
    : [
        {
          check: "thumbprint",
          weight: "advice",
          passed: true,
          finding: `Its thumbprint is ${thumbprints.sha1} (SHA-1, as SQL Server shows it), or ${thumbprints.sha256} (SHA-256).`,
        },
      ];

export const verifyCert = rowsCommand({
  name: "verify-cert",
  synopsis: "Checks the BitLocker management certificate and its permissions.",
  description:
    "Checks that BitLockerManagement_CERT is in the site database with the permissions that the recovery service needs, and " +
    "that it can still be used. Every site of a hierarchy needs the same certificate: give the thumbprints of the other sites, and each " +
    "that differs is a failed check. The exit status is 0 when it is valid and 1 when it is not; a finding of weight advice leaves it valid.",
  examples: [
    { line: "verify-cert", explains: "Every check, and what to do about one that failed." },
    { line: "verify-cert -raw", explains: "1 when valid, else 0, as Microsoft's own script prints it." },
    {
      line: "verify-cert -Thumbprint 0x3F2504E04F8911D39A0C0305E82C33010A1B2C3D",
      explains:
        "Also compares it with another site's certificate, by the thumbprint that sys.certificates shows there.",
    },
  ],
  parameters: {
    raw: flag({ synopsis: "Print 1 when the certificate is valid, else 0, and nothing else." }),
    Thumbprint: list(certificateThumbprint, {
      synopsis: "Thumbprints of the certificates at the other sites. Each must be the same as this site's.",
    }),
  },
  textWith: "raw",
  columns: columnsOf({ Check: 16, Weight: 8, Passed: 6, Finding: 60 }),
  rows: async ({ raw, Thumbprint }, { siteDatabase, signal }) => {
    const verification = await siteDatabase.verifyCertificate(signal);
    const compared = compare(verification, Thumbprint ?? []);
    const valid = verification.valid && compared.every(({ passed }) => passed);
    const exitStatus = valid ? 0 : 1;
    if (raw === true) return { kind: "text", text: valid ? "1" : "0", exitStatus };
    const findings = [...verification.findings, ...thumbprintOf(verification), ...compared];
    return { rows: findings.map(({ check, weight, passed, finding }) => [check, weight, passed, finding]), exitStatus };
  },
});
