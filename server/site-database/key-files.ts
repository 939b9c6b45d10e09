import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  pbkdf2,
  randomBytes,
  timingSafeEqual,
  X509Certificate,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import {
  BmpString,
  Constructed,
  Integer,
  Null,
  ObjectIdentifier,
  OctetString,
  Sequence,
  Set as SetOf,
  fromBER,
} from "asn1js";
import type { BaseBlock } from "asn1js";
import {
  AuthenticatedSafe,
  CertBag,
  Certificate,
  EncryptedContentInfo,
  getCrypto,
  PFX,
  PKCS8ShroudedKeyBag,
  SafeContents,
} from "pkijs";
import type { CertificateThumbprints } from "../command/site-database.ts";

/*
 * A certificate and its private key as files that other programs read: encrypted PKCS #8 (RFC 5958) and PKCS #12 (RFC 7292).
 * Written here, not by node:crypto's own export: that fixes PBKDF2 at 2,048 rounds, which a stolen backup doesn't deserve.
 */

// OWASP's figure for PBKDF2-HMAC-SHA256.
const keyFileRounds = 600_000;
// .NET's Pkcs12LoaderLimits refuse more than 300,000 rounds for one key or the MAC, so a PFX stays below.
const pfxRounds = 250_000;
const mostRounds = 1_000_000;

const oids = {
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
  hmacWithSha256: "1.2.840.113549.2.9",
  aes256Cbc: "2.16.840.1.101.3.4.1.42",
  sha256: "2.16.840.1.101.3.4.2.1",
  data: "1.2.840.113549.1.7.1",
  shroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  friendlyName: "1.2.840.113549.1.9.20",
  localKeyId: "1.2.840.113549.1.9.21",
} as const;

/** SHA-256 of the DER certificate, hexadecimal, lower case. */
export const thumbprintOf = (certificate: Uint8Array): string => createHash("sha256").update(certificate).digest("hex");

export const thumbprintsOf = (certificate: Uint8Array): CertificateThumbprints => ({
  // SHA-1 proves nothing here: it finds the certificate that sys.certificates and Windows name so.
  sha1: createHash("sha1").update(certificate).digest("hex"),
  sha256: thumbprintOf(certificate),
});

/** Does this private key belong to this certificate? Compares public keys, so a certificate of the same name won't do. */
export const isKeyOf = (certificate: Uint8Array, privateKey: KeyObject): boolean =>
  createPublicKey(privateKey).equals(new X509Certificate(certificate).publicKey);

const sequence = (...value: BaseBlock[]): Sequence => new Sequence({ value });
const oid = (value: string): ObjectIdentifier => new ObjectIdentifier({ value });
const octets = (bytes: Uint8Array): OctetString => new OctetString({ valueHex: Uint8Array.from(bytes).buffer });
const integer = (value: number): Integer => new Integer({ value });
const explicit = (value: BaseBlock): Constructed =>
  new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [value] });
const der = (block: BaseBlock): Uint8Array => new Uint8Array(block.toBER());

const deriveKey = promisify(pbkdf2);

/** The private key as EncryptedPrivateKeyInfo: PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC. */
const encryptPrivateKey = async (privateKey: KeyObject, password: Uint8Array, rounds: number): Promise<Uint8Array> => {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const key = await deriveKey(password, salt, rounds, 32, "sha256");
  const pkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
  try {
    const cipher = createCipheriv("aes-256-cbc", key, iv);
    const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
    const derivation = sequence(
      oid(oids.pbkdf2),
      sequence(octets(salt), integer(rounds), sequence(oid(oids.hmacWithSha256), new Null())),
    );
    const scheme = sequence(oid(oids.pbes2), sequence(derivation, sequence(oid(oids.aes256Cbc), octets(iv))));
    return der(sequence(scheme, octets(encrypted)));
  } finally {
    key.fill(0);
    pkcs8.fill(0);
  }
};

export const encodeKeyFile = (privateKey: KeyObject, password: Uint8Array): Promise<Uint8Array> =>
  encryptPrivateKey(privateKey, password, keyFileRounds);

/**
 * Opens an encrypted PKCS #8 key with pkijs's reader, not ours. Throws when the password is another one.
 * Not createPrivateKey with a passphrase: it runs PBKDF2 on the event loop, measured 200 ms for these rounds.
 */
export const decodeKeyFile = async (file: Uint8Array, password: Uint8Array): Promise<KeyObject> => {
  const { encryptionAlgorithm, encryptedData } = PKCS8ShroudedKeyBag.fromBER(Uint8Array.from(file).buffer);
  const pkcs8 = await getCrypto(true).decryptEncryptedContentInfo({
    encryptedContentInfo: new EncryptedContentInfo({
      contentType: oids.data,
      contentEncryptionAlgorithm: encryptionAlgorithm,
      encryptedContent: encryptedData,
    }),
    password: Uint8Array.from(password).buffer,
  });
  const bytes = Buffer.from(pkcs8);
  try {
    return createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
  } finally {
    bytes.fill(0);
  }
};

const repeatTo = (bytes: Uint8Array, multiple: number): Uint8Array => {
  const result = new Uint8Array(Math.ceil(bytes.length / multiple) * multiple);
  for (let i = 0; i < result.length; i += 1) result[i] = bytes[i % bytes.length] ?? 0;
  return result;
};

const roundsInOneTurn = 5000;

/**
 * The MAC of a PFX: HMAC-SHA256 under the key derivation of RFC 7292 appendix B with ID 3. One hash output is as long as the
 * key, so the derivation needs no second block. In turns of a few milliseconds, as Node has no native form of it.
 */
const pfxMac = async (content: Uint8Array, password: Uint8Array, salt: Uint8Array, rounds: number) => {
  // A BMPString with its two closing zero bytes; the password policy keeps it to ASCII.
  const bmp = new Uint8Array(password.length * 2 + 2);
  for (const [i, byte] of password.entries()) bmp[i * 2 + 1] = byte;
  const padded = repeatTo(bmp, 64);
  let key = createHash("sha256").update(new Uint8Array(64).fill(3)).update(repeatTo(salt, 64)).update(padded).digest();
  for (let round = 1; round < rounds; round += 1) {
    key = hash("sha256", key, "buffer");
    if (round % roundsInOneTurn === 0) await nextTurn();
  }
  bmp.fill(0);
  padded.fill(0);
  const mac = createHmac("sha256", key).update(content).digest();
  key.fill(0);
  return mac;
};

const contentInfo = (content: Uint8Array): Sequence => sequence(oid(oids.data), explicit(octets(content)));

/** One PKCS #12 file with the certificate and its key. The certificate itself is public and stays readable. */
export const encodePfx = async (
  certificate: Uint8Array,
  privateKey: KeyObject,
  password: Uint8Array,
  friendlyName: string,
): Promise<Uint8Array> => {
  const attribute = (type: string, value: BaseBlock): Sequence => sequence(oid(type), new SetOf({ value: [value] }));
  const localKeyId = createHash("sha1").update(certificate).digest();
  const attributes = (): SetOf =>
    new SetOf({
      value: [
        attribute(oids.friendlyName, new BmpString({ value: friendlyName })),
        attribute(oids.localKeyId, octets(localKeyId)),
      ],
    });
  const shroudedKey = await encryptPrivateKey(privateKey, password, pfxRounds);
  const keyBag = sequence(oid(oids.shroudedKeyBag), explicit(fromBER(shroudedKey).result), attributes());
  const certificateValue = sequence(oid(oids.x509Certificate), explicit(octets(certificate)));
  const certificateBag = sequence(oid(oids.certBag), explicit(certificateValue), attributes());
  const safe = der(sequence(contentInfo(der(sequence(certificateBag))), contentInfo(der(sequence(keyBag)))));
  const salt = randomBytes(16);
  const mac = await pfxMac(safe, password, salt, pfxRounds);
  const digestInfo = sequence(sequence(oid(oids.sha256), new Null()), octets(mac));
  return der(sequence(integer(3), contentInfo(safe), sequence(digestInfo, octets(salt), integer(pfxRounds))));
};

const contentBytes = (content: unknown): Uint8Array<ArrayBuffer> => {
  if (!(content instanceof OctetString)) throw new Error("the PFX content is not an octet string");
  return new Uint8Array(content.getValue());
};

/** Opens a PFX with pkijs's reader: checks its MAC, then decrypts its key. Throws when either fails. */
export const decodePfx = async (
  file: Uint8Array,
  password: Uint8Array,
): Promise<{ readonly certificate: Uint8Array; readonly privateKey: KeyObject }> => {
  const pfx = PFX.fromBER(Uint8Array.from(file).buffer);
  const safeBytes = contentBytes(pfx.authSafe.content);
  if (pfx.macData === undefined) throw new Error("the PFX has no MAC");
  const salt = new Uint8Array(pfx.macData.macSalt.getValue());
  const rounds = pfx.macData.iterations ?? 1;
  // The file says what to spend, and one that somebody else made must not make the server spend an hour.
  if (rounds > mostRounds) throw new Error(`the PFX asks for ${rounds} rounds`);
  const mac = await pfxMac(safeBytes, password, salt, rounds);
  const stored = new Uint8Array(pfx.macData.mac.digest.getValue());
  if (stored.length !== mac.length || !timingSafeEqual(stored, mac)) throw new Error("the MAC of the PFX differs");
  const bags = AuthenticatedSafe.fromBER(safeBytes.buffer).safeContents.flatMap(
    (content) => SafeContents.fromBER(contentBytes(content.content).buffer).safeBags,
  );
  const keyBag = bags.map((bag) => bag.bagValue).find((value) => value instanceof PKCS8ShroudedKeyBag);
  const certBag = bags.map((bag) => bag.bagValue).find((value) => value instanceof CertBag);
  if (keyBag === undefined || certBag === undefined) throw new Error("the PFX lacks its key or its certificate");
  const { parsedValue } = certBag;
  if (!(parsedValue instanceof Certificate)) throw new Error("the PFX holds another kind of certificate");
  return {
    certificate: new Uint8Array(parsedValue.toSchema().toBER()),
    privateKey: await decodeKeyFile(new Uint8Array(keyBag.toSchema().toBER()), password),
  };
};
