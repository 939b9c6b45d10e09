import type { KeyRefusal } from "./log-in.ts";
import { decodeNetworks } from "./address-list.ts";
import type { Certificate } from "./certificate.ts";
import { WireReader } from "./wire.ts";

/** What a certificate's critical options and extensions ask for and allow. */
export interface CertificateRules {
  readonly mayComeFrom: (clientAddress: string) => boolean;
  readonly forcedCommand: string | undefined;
  readonly verifyRequired: boolean;
  readonly noTouchRequired: boolean;
  readonly mayHaveTerminal: boolean;
}

const known = new Set(["force-command", "source-address", "verify-required"]);

const text = (value: Buffer | undefined): string | undefined => {
  if (value === undefined) return undefined;
  const reader = new WireReader(value);
  const inside = reader.utf8();
  reader.end();
  return inside;
};

/**
 * Reads the options of a certificate. A critical option that isn't known here refuses it; an unknown extension is ignored,
 * as it only ever gives (PROTOCOL.certkeys).
 * @throws WireError
 */
export const decodeCertificateRules = (certificate: Certificate): CertificateRules | KeyRefusal => {
  const { criticalOptions, extensions } = certificate;
  for (const name of criticalOptions.keys())
    if (!known.has(name)) return "the certificate has an unknown critical option";
  const verify = criticalOptions.get("verify-required");
  if (verify !== undefined) new WireReader(verify).end(); // it has no value
  const source = text(criticalOptions.get("source-address"));
  let mayComeFrom: CertificateRules["mayComeFrom"] = () => true;
  try {
    if (source !== undefined) mayComeFrom = decodeNetworks(source);
  } catch {
    return "the certificate's source-address can't be read";
  }
  return {
    mayComeFrom,
    forcedCommand: text(criticalOptions.get("force-command")),
    verifyRequired: verify !== undefined,
    noTouchRequired: extensions.has("no-touch-required"),
    mayHaveTerminal: extensions.has("permit-pty"),
  };
};
