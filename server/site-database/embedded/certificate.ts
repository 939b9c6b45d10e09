import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { Integer, Utf8String } from "asn1js";
import { AttributeTypeAndValue, Certificate, Time, TimeType } from "pkijs";

const algorithm = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: Uint8Array.of(1, 0, 1),
  // What SQL Server 2022 generates; its import stops at 4096.
  modulusLength: 3072,
} as const;

const subject = "BitLocker Management";
const expiresAt = new Date("2039-10-22T00:00:00Z");

const commonName = (): AttributeTypeAndValue =>
  new AttributeTypeAndValue({ type: "2.5.4.3", value: new Utf8String({ value: subject }) });

export interface NewCertificate {
  readonly certificate: Uint8Array;
  /** PKCS #8, not encrypted: the caller wraps it and zeroes it. */
  readonly privateKey: Uint8Array;
}

/**
 * Makes the certificate as Microsoft's script does: self-signed, CN=BitLocker Management, until 2039-10-22.
 * pkijs rather than @peculiar/x509: the latter needs a global Reflect polyfill, which would reach every other module.
 */
export const createBitLockerCertificate = async (now: Date): Promise<NewCertificate> => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = new Certificate();
  certificate.version = 2;
  // A leading 01 keeps the serial number positive without a padding byte (RFC 5280 §4.1.2.2).
  const serialNumber = new Uint8Array([1, ...randomBytes(15)]);
  certificate.serialNumber = new Integer({ valueHex: serialNumber.buffer });
  certificate.issuer.typesAndValues.push(commonName());
  certificate.subject.typesAndValues.push(commonName());
  certificate.notBefore = new Time({ type: TimeType.UTCTime, value: now });
  certificate.notAfter = new Time({ type: TimeType.UTCTime, value: expiresAt });
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey);
  await certificate.sign(keys.privateKey, "SHA-256");
  return {
    certificate: new Uint8Array(certificate.toSchema(true).toBER(false)),
    privateKey: new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)),
  };
};

export const parseCertificate = (certificate: Uint8Array): X509Certificate => new X509Certificate(certificate);

export const parsePrivateKey = (pkcs8: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.byteLength),
    format: "der",
    type: "pkcs8",
  });
