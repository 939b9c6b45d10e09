import type { CertificateFinding, KeysWaiting } from "../command/site-database.ts";
import { uncollectedInWords } from "./uncollected.ts";

/** What an examination found to be as it should. */
export const passed = (check: string, finding: string): CertificateFinding => ({
  check,
  weight: "required",
  passed: true,
  finding,
});

export const failedCheck = (check: string, finding: string): CertificateFinding => ({
  check,
  weight: "required",
  passed: false,
  finding,
});

export const advice = (check: string, finding: string): CertificateFinding => ({
  check,
  weight: "advice",
  passed: false,
  finding,
});

/** Keys that would be lost with this site: advice, as only an export can change it. */
export const collectionFinding = (waiting: KeysWaiting): CertificateFinding => {
  const words = uncollectedInWords(waiting);
  return words === undefined
    ? passed("collection", "Every key was collected, or there is none.")
    : advice("collection", words);
};
