import type { CertificateFinding } from "../command/site-database.ts";

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
