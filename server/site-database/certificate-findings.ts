import { given } from "../command/given.ts";
import type { CertificateFinding, CertificateVerification } from "../command/site-database.ts";
import { thumbprintsOf } from "./key-files.ts";

/** What a look at the certificate found, in the order in which it was found. Each has a sentence for when it passed, and one for when not. */
export class CertificateFindings {
  readonly #all: CertificateFinding[] = [];

  get all(): readonly CertificateFinding[] {
    return this.#all;
  }

  add(...findings: readonly CertificateFinding[]): void {
    this.#all.push(...findings);
  }

  required(check: string, passed: boolean, good: string, bad: string): void {
    this.#all.push({ check, weight: "required", passed, finding: passed ? good : bad });
  }

  advice(check: string, passed: boolean, good: string, bad: string): void {
    this.#all.push({ check, weight: "advice", passed, finding: passed ? good : bad });
  }

  /**
   * @param microsoftCheck what Microsoft's own script answers
   * @param certificate DER, where it can be seen
   */
  verification(microsoftCheck: boolean, certificate: Uint8Array | undefined): CertificateVerification {
    const valid = microsoftCheck && this.#all.every(({ passed, weight }) => passed || weight === "advice");
    return {
      microsoftCheck,
      valid,
      findings: this.#all,
      ...given({ thumbprints: certificate && thumbprintsOf(certificate) }),
    };
  }
}

const soonMs = 90 * 24 * 60 * 60 * 1000;

/** @param afterwards goes on from "Keys stay readable" */
export const judgeExpiry = (findings: CertificateFindings, expiresAt: Date, now: Date, afterwards: string): void => {
  const day = expiresAt.toISOString().slice(0, 10);
  const left = expiresAt.getTime() - now.getTime();
  findings.advice(
    "expiry",
    left > soonMs,
    `The certificate is valid until ${day}.`,
    `The certificate ${left > 0 ? "expires" : "expired"} on ${day}. Keys stay readable${afterwards}`,
  );
};

export const judgeBackup = (findings: CertificateFindings, lastBackupAt: string | undefined): void =>
  findings.advice(
    "backup",
    lastBackupAt !== undefined,
    `It was last backed up at ${lastBackupAt}.`,
    "It was never backed up: if it is lost, every encrypted recovery key is lost with it. Run backup-cert.",
  );
