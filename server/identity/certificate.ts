import { decodePublicKey, readPublicKey } from "./public-key.ts";
import type { PublicKey } from "./public-key.ts";
import { checkSignature, signatureAlgorithms } from "./signature.ts";
import { WireError, WireReader } from "./wire.ts";

/* OpenSSH certificates, format v01: PROTOCOL.certkeys and sshkey.c (cert_parse) of OpenSSH. */

const suffix = "-cert-v01@openssh.com";
const certificateName = (plain: string): string => `${plain.replace(/@openssh\.com$/, "")}${suffix}`;

/** Public key algorithm a client asks for → the signature algorithm that then must be used. */
const signatureAlgorithmOf: ReadonlyMap<string, string> = new Map(
  [...signatureAlgorithms].map((plain) => [certificateName(plain), plain]),
);
/** Type inside a certificate → type of its key. Whatever hash signs, an RSA certificate is an `ssh-rsa` one. */
const keyTypeOf: ReadonlyMap<string, string> = new Map(
  [...signatureAlgorithms]
    .map((plain) => (plain.startsWith("rsa-") ? "ssh-rsa" : plain))
    .map((plain) => [certificateName(plain), plain]),
);

/** The signature algorithm of a certificate algorithm, or undefined when it is none that is accepted. */
export const plainAlgorithmOf = (algorithm: string): string | undefined => signatureAlgorithmOf.get(algorithm);
export const isCertificateType = (type: string): boolean => keyTypeOf.has(type);

const mostPrincipals = 256; // SSHKEY_CERT_MAX_PRINCIPALS

export interface Certificate {
  readonly type: string;
  /** The key it certifies. */
  readonly key: PublicKey;
  readonly authority: PublicKey;
  readonly serial: bigint;
  readonly kind: "user" | "host";
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since 1970; `validBefore` is the first second at which it is no longer valid. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** Values still in their wire form. */
  readonly criticalOptions: ReadonlyMap<string, Buffer>;
  readonly extensions: ReadonlyMap<string, Buffer>;
}

const readOptions = (bytes: Buffer): ReadonlyMap<string, Buffer> => {
  const reader = new WireReader(bytes);
  const options = new Map<string, Buffer>();
  while (!reader.atEnd) {
    const name = reader.ascii();
    // Which of two would count? OpenSSH refuses two of those it knows; here two of anything.
    if (options.has(name)) throw new WireError("an option stands twice in the certificate");
    options.set(name, reader.bytes());
  }
  return options;
};

const readPrincipals = (bytes: Buffer): readonly string[] => {
  const reader = new WireReader(bytes);
  const principals: string[] = [];
  while (!reader.atEnd) {
    if (principals.length === mostPrincipals) throw new WireError(`more than ${mostPrincipals} principals`);
    principals.push(reader.utf8());
  }
  return principals;
};

const readKind = (code: number): Certificate["kind"] => {
  if (code === 1) return "user";
  if (code === 2) return "host";
  throw new WireError("the certificate is neither a user's nor a host's");
};

/**
 * Reads a certificate and checks that its authority signed it; whether that authority is trusted is not asked here.
 * The signature is always checked, so that the time of an answer says nothing about who trusts which authority.
 * @throws WireError
 */
export const decodeCertificate = (blob: Uint8Array): Certificate => {
  const reader = new WireReader(blob);
  const type = reader.ascii();
  const keyType = keyTypeOf.get(type);
  if (keyType === undefined) throw new WireError("the certificate type is not accepted");
  reader.bytes(); // nonce
  const key = readPublicKey(keyType, reader, blob);
  const serial = reader.uint64();
  const kind = readKind(reader.uint32());
  const keyId = reader.utf8();
  const principals = readPrincipals(reader.bytes());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.bytes());
  const extensions = readOptions(reader.bytes());
  reader.bytes(); // reserved
  const authorityBlob = reader.bytes();
  const signed = Buffer.from(blob.subarray(0, reader.consumed));
  const signature = reader.bytes();
  reader.end();
  const authority = decodePublicKey(authorityBlob); // not a certificate: there are no chains
  if (!checkSignature(authority, signatureAlgorithms, signed, signature).right) {
    throw new WireError("the authority's signature is wrong or of a kind that is not accepted");
  }
  return {
    type,
    key,
    authority,
    serial,
    kind,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
  };
};
