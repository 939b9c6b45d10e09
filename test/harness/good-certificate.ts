import { attemptLogin, outcome, trusting } from "./key-attempt.ts";
import { ed25519Key, makeCertificate } from "./signing-key.ts";
import type { CertificateParts } from "./signing-key.ts";

/* A certificate that is accepted, and what the attacks change of it. */

export const [key, authority] = [ed25519Key(), ed25519Key()];
export const trust = trusting({ authorities: [authority], groups: ["operators"] });
export const withCertificate = (
  parts: Partial<CertificateParts>,
  attempt: Partial<Parameters<typeof attemptLogin>[0]> = {},
) => outcome(attemptLogin({ key, trust, certificate: makeCertificate({ key, authority, ...parts }), ...attempt }));
