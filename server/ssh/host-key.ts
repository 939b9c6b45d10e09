import ssh2 from "ssh2";
import { EndpointError } from "../errors.ts";
import { fingerprintOf } from "../identity/public-key.ts";

export interface HostKey {
  readonly privateKey: Buffer;
  readonly fingerprint: string;
}

/**
 * Reads the host key: ed25519, OpenSSH format, no passphrase.
 * Others are refused: with an RSA key ssh2 offers SHA-1 signatures whatever it is told, ECDSA ones depend on the random
 * number of each signature, and one kind of key is one fingerprint to publish.
 */
export const readHostKey = (pem: string | Buffer): HostKey => {
  const parsed = ssh2.utils.parseKey(pem);
  if (parsed instanceof Error) {
    const message = "The host key is not an OpenSSH private key without a passphrase.";
    throw new EndpointError("InvalidArgument", message, { cause: parsed });
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey()) {
    throw new EndpointError("InvalidArgument", "The host key is a public key; the private one is needed.");
  }
  if (key.type !== "ssh-ed25519") {
    throw new EndpointError("InvalidArgument", `The host key must be ssh-ed25519, not ${key.type}.`);
  }
  return { privateKey: Buffer.from(pem), fingerprint: fingerprintOf(key.getPublicSSH()) };
};
