import { execFile } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A certificate with its private key, if it has one. */
export interface CertificatePair {
  readonly der: Buffer;
  readonly privateKey: KeyObject | undefined;
}

export const thumbprintOf = ({ der }: CertificatePair): string =>
  createHash("sha1").update(der).digest("hex").toUpperCase();

export const expiryOf = ({ der }: CertificatePair): Date => new Date(new X509Certificate(der).validTo);

export const belongTogether = (der: Buffer, privateKey: KeyObject): boolean =>
  createPublicKey(privateKey).equals(new X509Certificate(der).publicKey);

const run = promisify(execFile);

const inDirectory = async <Result>(work: (path: (name: string) => string) => Promise<Result>): Promise<Result> => {
  const directory = await mkdtemp(join(tmpdir(), "pep-model-"));
  try {
    return await work((name) => join(directory, name));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

const dayMs = 86_400_000;

/** What CREATE CERTIFICATE makes: RSA, self-signed. Made by `openssl`; takes a part of a second. */
export const makeCertificatePair = (
  subject = "BitLocker Management",
  expiresAt = new Date("2039-10-22T00:00:00Z"),
  keyBits: 1024 | 2048 = 2048,
): Promise<CertificatePair> =>
  inDirectory(async (path) => {
    await writeFile(path("openssl.cnf"), "[req]\ndistinguished_name=name\n[name]\n");
    const days = String(Math.max(1, Math.ceil((expiresAt.getTime() - Date.now()) / dayMs)));
    const made = ["req", "-x509", "-newkey", `rsa:${keyBits}`, "-nodes", "-utf8", "-config", path("openssl.cnf")];
    const name = subject.replace(/[\\/]/g, String.raw`\$&`);
    await run("openssl", [
      ...made,
      "-days",
      days,
      "-subj",
      `/CN=${name}`,
      "-keyout",
      path("key"),
      "-out",
      path("cert"),
    ]);
    return {
      der: new X509Certificate(await readFile(path("cert"))).raw,
      privateKey: createPrivateKey(await readFile(path("key"))),
    };
  });

/** PKCS #12, as BACKUP CERTIFICATE … FORMAT = 'PFX' writes it. */
export const encodePfx = (der: Buffer, privateKey: KeyObject, password: string): Promise<Buffer> =>
  inDirectory(async (path) => {
    await writeFile(path("cert"), new X509Certificate(der).toString());
    await writeFile(path("key"), privateKey.export({ format: "pem", type: "pkcs8" }));
    const pair = ["-inkey", path("key"), "-in", path("cert"), "-out", path("pfx")];
    await run("openssl", ["pkcs12", "-export", ...pair, "-passout", `pass:${password}`]);
    return readFile(path("pfx"));
  });

/** Undefined when the password is another, or the bytes are no PFX. */
export const decodePfx = (bytes: Buffer, password: string): Promise<CertificatePair | undefined> =>
  inDirectory(async (path) => {
    await writeFile(path("pfx"), bytes);
    const open = async (...options: readonly string[]): Promise<string> =>
      (await run("openssl", ["pkcs12", "-in", path("pfx"), "-passin", `pass:${password}`, ...options])).stdout;
    try {
      const der = new X509Certificate(await open("-nokeys")).raw;
      return { der, privateKey: createPrivateKey(await open("-nocerts", "-nodes")) };
    } catch {
      return undefined;
    }
  });
