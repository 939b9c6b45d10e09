import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import { decodeKeyFile, decodePfx, encodeKeyFile, isKeyOf } from "../../server/site-database/key-files.ts";
import { problemOfNewPassword } from "../../server/model/new-password.ts";
import { openBackup } from "../../server/site-database/open-backup.ts";
import { createBitLockerCertificate, parsePrivateKey } from "../../server/site-database/embedded/certificate.ts";
import { createSiteMaker, neverStopped } from "./fixture.ts";
import type { SiteMaker, TestSite } from "./fixture.ts";

const run = promisify(execFile);
const password = "Correct-Horse-42";
const source = `pass:${password}`;

/** OpenSSL stands here for every reader that is not ours: what it opens, others open. */
const openssl = async (...parameters: string[]): Promise<string> => (await run("openssl", parameters)).stdout;

let maker: SiteMaker;
let site: TestSite;
let certificate: X509Certificate;
const fileOf = (name: string): string => join(site.backupDirectory, name);

beforeAll(async () => {
  maker = await createSiteMaker();
  site = await maker.make();
  const database = await site.open();
  const secret = new Secret(password);
  await database.backupCertificate({ name: "two", form: "Pkcs8", password: secret }, neverStopped);
  await database.backupCertificate({ name: "one", form: "Pfx", password: secret }, neverStopped);
  certificate = new X509Certificate(await readFile(fileOf("two.cer")));
});
afterAll(async () => {
  await site.dispose();
  await maker.dispose();
});

describe("read by OpenSSL", () => {
  test("the certificate is the one of Microsoft's script", async () => {
    const text = await openssl("x509", "-inform", "DER", "-in", fileOf("two.cer"), "-noout", "-text");
    expect(text).toContain("Subject: CN = BitLocker Management");
    expect(text).toContain("Public-Key: (3072 bit)");
    expect(text).toMatch(/Not After : Oct 22 00:00:00 2039 GMT/);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  test("the key file opens with the password and is the certificate's key", async () => {
    const publicKey = await openssl("pkey", "-inform", "DER", "-in", fileOf("two.key"), "-passin", source, "-pubout");
    expect(publicKey).toBe(certificate.publicKey.export({ format: "pem", type: "spki" }));
    await expect(
      openssl("pkey", "-inform", "DER", "-in", fileOf("two.key"), "-passin", "pass:Wrong-Horse-42", "-noout"),
    ).rejects.toMatchObject({ code: 1 });
  });

  test("the key file is PBES2 with AES-256 and many rounds", async () => {
    const text = await openssl("asn1parse", "-inform", "DER", "-in", fileOf("two.key"));
    expect(text).toContain("PBES2");
    expect(text).toContain("aes-256-cbc");
    expect(text).toContain("hmacWithSHA256");
    // 600,000 in hexadecimal.
    expect(text).toContain(":0927C0");
  });

  test("the PFX holds the same certificate and key, under a SHA-256 MAC", async () => {
    const parameters = ["pkcs12", "-in", fileOf("one.pfx"), "-passin", source, "-nodes", "-info"];
    const { stdout, stderr } = await run("openssl", parameters);
    expect(stderr).toContain("MAC: sha256");
    expect(stderr).toContain("PBES2, PBKDF2, AES-256-CBC");
    const pem = /-----BEGIN CERTIFICATE-----[^]*-----END CERTIFICATE-----/.exec(stdout)?.[0] ?? "";
    const inside = new X509Certificate(pem);
    expect(inside.fingerprint256).toBe(certificate.fingerprint256);
    await writeFile(join(site.directory, "out.pem"), stdout);
    const publicKey = await openssl("pkey", "-in", join(site.directory, "out.pem"), "-pubout");
    expect(publicKey).toBe(certificate.publicKey.export({ format: "pem", type: "spki" }));
  });

  test("a PFX that OpenSSL made is read by us too", async () => {
    const directory = await mkdtemp(join(tmpdir(), "pep-pfx-"));
    try {
      const paths = {
        key: join(directory, "k.pem"),
        certificate: join(directory, "c.pem"),
        pfx: join(directory, "o.pfx"),
      };
      await openssl("pkey", "-inform", "DER", "-in", fileOf("two.key"), "-passin", source, "-out", paths.key);
      await openssl("x509", "-inform", "DER", "-in", fileOf("two.cer"), "-out", paths.certificate);
      const encryption = ["-keypbe", "AES-256-CBC", "-certpbe", "NONE", "-passout", source];
      const files = ["-inkey", paths.key, "-in", paths.certificate, "-out", paths.pfx];
      await openssl("pkcs12", "-export", ...encryption, ...files);
      const decoded = await decodePfx(await readFile(paths.pfx), Buffer.from(password));
      expect(isKeyOf(new Uint8Array(certificate.raw), decoded.privateKey)).toBe(true);
      await expect(decodePfx(await readFile(paths.pfx), Buffer.from("Wrong-Horse-42"))).rejects.toThrow("MAC");
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

test("the files can be read by their owner only", async () => {
  for (const name of ["two.cer", "two.key", "one.pfx"]) expect((await stat(fileOf(name))).mode & 0o777).toBe(0o600);
});

test("no private key lies open in any of the files", async () => {
  const key = await decodeKeyFile(await readFile(fileOf("two.key")), Buffer.from(password));
  const { d = "" } = key.export({ format: "jwk" });
  const exponent = Buffer.from(d, "base64url").subarray(0, 32);
  for (const name of ["two.cer", "two.key", "one.pfx"])
    expect((await readFile(fileOf(name))).includes(exponent), name).toBe(false);
});

test("two exports of one key differ in every encrypted byte", async () => {
  const made = await createBitLockerCertificate(new Date());
  const key = parsePrivateKey(made.privateKey);
  const [first, second] = [
    await encodeKeyFile(key, Buffer.from(password)),
    await encodeKeyFile(key, Buffer.from(password)),
  ];
  expect(Buffer.from(first).subarray(-512).equals(Buffer.from(second).subarray(-512))).toBe(false);
});

test("an older backup whose password ends with a blank opens as given only", async () => {
  const privateKey = await decodeKeyFile(await readFile(fileOf("two.key")), Buffer.from(password));
  await writeFile(fileOf("old.cer"), certificate.raw, { mode: 0o600 });
  await writeFile(fileOf("old.key"), await encodeKeyFile(privateKey, Buffer.from(`${password} `)), { mode: 0o600 });
  const open = (text: string) => openBackup(site.backupDirectory, { name: "old", form: "Pkcs8" }, text);
  expect((await open(`${password} `)).privateKey.equals(privateKey)).toBe(true);
  await expect(open(password)).rejects.toMatchObject({ category: "InvalidArgument" });
});

test.each([
  ["Correct-Horse-42", true],
  ["abcdefghij1K", true],
  ["abcdefgh ij.K", true],
  ["abcdefghij1", false],
  ["abcdefghijkl", false],
  ["abcdefghijk1", false],
  ["Contraseña-2026", false],
  [" Correct-Horse-42", false],
  ["Correct-Horse-42 ", false],
  ["\ufeffCorrect-Horse-42", false],
  ["A1-\tabcdefghijk", false],
  [`Aa1${"x".repeat(125)}`, true],
  [`Aa1${"x".repeat(126)}`, false],
])("the password %j is acceptable: %s", (text, acceptable) => {
  expect(problemOfNewPassword(text) === undefined).toBe(acceptable);
});
