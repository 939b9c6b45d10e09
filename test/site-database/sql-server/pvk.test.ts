import { spawnSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { decodePvk, encodePvk as encodeOwnPvk } from "../../../server/site-database/sql-server/pvk.ts";
import { encodePvk } from "./pvk-writer.ts";

const password = "Correct-Horse-42";
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = privateKey.export({ format: "pem", type: "pkcs8" });

/** OpenSSL writes and reads the form as well, with its legacy provider: the independent witness. */
const openssl = (input: string | Uint8Array, ...options: readonly string[]): Buffer | undefined => {
  const providers = ["-provider", "legacy", "-provider", "default"];
  const { status, stdout } = spawnSync("openssl", ["rsa", ...options, ...providers], { input });
  return status === 0 ? stdout : undefined;
};
const written = (strength: "-pvk-strong" | "-pvk-weak"): Buffer | undefined =>
  openssl(pem, "-outform", "PVK", strength, "-passout", `pass:${password}`);
const withoutOpenssl = written("-pvk-strong") === undefined;

test.skipIf(withoutOpenssl)("opens what OpenSSL wrote, with 128 and with 40 bits", () => {
  for (const strength of ["-pvk-strong", "-pvk-weak"] as const)
    expect(decodePvk(written(strength) ?? new Uint8Array(), password).equals(privateKey)).toBe(true);
});

test.skipIf(withoutOpenssl)("the model site writes what OpenSSL reads", () => {
  const pvk = encodePvk(privateKey, password, {});
  const read = openssl(pvk, "-inform", "PVK", "-passin", `pass:${password}`);
  expect(createPrivateKey(read ?? "").equals(privateKey)).toBe(true);
});

test.skipIf(withoutOpenssl)("what it writes OpenSSL reads, and so does it itself", () => {
  for (const modulusLength of [2048, 3072, 4096]) {
    const pair = generateKeyPairSync("rsa", { modulusLength });
    const pvk = encodeOwnPvk(pair.privateKey, password);
    expect(
      createPrivateKey(openssl(pvk, "-inform", "PVK", "-passin", `pass:${password}`) ?? "").equals(pair.privateKey),
    ).toBe(true);
    expect(decodePvk(pvk, password).equals(pair.privateKey)).toBe(true);
  }
});

test("opens a key whether the password was taken as ASCII or as UTF-16", () => {
  for (const encoding of ["latin1", "utf16le"] as const)
    for (const weak of [false, true])
      expect(decodePvk(encodePvk(privateKey, password, { encoding, weak }), password).equals(privateKey)).toBe(true);
});

test("refuses another password, no password, a file cut anywhere and another file", () => {
  const pvk = encodePvk(privateKey, password, {});
  for (const other of ["Correct-Horse-43", ""]) expect(() => decodePvk(pvk, other)).toThrow("password");
  for (const length of [0, 10, 23, 40, 60, pvk.length - 1])
    expect(() => decodePvk(pvk.subarray(0, length), password)).toThrow(/PVK/);
  expect(() => decodePvk(randomBytes(600), password)).toThrow("not a PVK");
});
