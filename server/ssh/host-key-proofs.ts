import { createHash } from "node:crypto";
import { openFile } from "../files/judge.ts";
import { readTrustedSync } from "../files/trusted-file.ts";
import { readKeyLine, fingerprintOf } from "../identity/public-key.ts";

/** What a client can hold a server's key against before its first connection. */
export interface HostKeyProofs {
  /** `SHA256:…` */
  readonly fingerprint: string;
  /** sshd(8), SSH_KNOWN_HOSTS FILE FORMAT */
  readonly knownHostsLine: (host: string, port: number) => string;
  /** RFC 4255; algorithm 4 is Ed25519 by RFC 7479, type 2 SHA-256 by RFC 6594. Type 1, SHA-1, is left out. */
  readonly sshfpRecord: (host: string) => string;
}

/**
 * Reads the public half, which lies beside a host key.
 *
 * @throws UntrustedFile; Error where it is no public key
 */
export const readHostKeyProofs = (hostKey: string): HostKeyProofs => {
  const text = readTrustedSync(`${hostKey}.pub`, openFile("host key's public half")).toString("utf8").trim();
  const { type, blob } = readKeyLine(text);
  return {
    fingerprint: fingerprintOf(blob),
    knownHostsLine: (host, port) => `${port === 22 ? host : `[${host}]:${port}`} ${type} ${blob.toString("base64")}`,
    sshfpRecord: (host) => `${host}. IN SSHFP 4 2 ${createHash("sha256").update(blob).digest("hex")}`,
  };
};
