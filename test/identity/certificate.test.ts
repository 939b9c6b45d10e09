import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCertificate } from "../../server/identity/certificate.ts";
import { WireError, wireString } from "../../server/identity/wire.ts";
import { attemptLogin, outcome, trusting } from "../harness/key-attempt.ts";
import {
  ed25519Key,
  fidoEcdsaKey,
  fidoEd25519Key,
  makeCertificate,
  rsaKey,
  certificateAlgorithm,
} from "../harness/signing-key.ts";

describe("a certificate", () => {
  test("is read whole", () => {
    const [key, authority] = [ed25519Key(), rsaKey(3072)];
    const parts = { key, authority, serial: 2n ** 64n - 1n, principals: ["a", "group:ü"], keyId: "Zoë's" };
    const certificate = decodeCertificate(makeCertificate({ ...parts, critical: [["force-command", "x"]] }));
    expect(certificate).toMatchObject({
      serial: 2n ** 64n - 1n,
      kind: "user",
      keyId: "Zoë's",
      principals: ["a", "group:ü"],
    });
    expect(certificate.key.blob).toEqual(key.blob);
    expect(certificate.authority.blob).toEqual(authority.blob);
    expect([...certificate.criticalOptions.keys()]).toEqual(["force-command"]);
  });

  test.each([
    ["ed25519", ed25519Key],
    ["FIDO ed25519", fidoEd25519Key],
    ["FIDO ecdsa", fidoEcdsaKey],
  ])("of %s is worth nothing with any byte of it flipped", (_type, make) => {
    const [key, authority] = [make(), ed25519Key()];
    const trust = trusting({ authorities: [authority] });
    const good = makeCertificate({ key, authority, critical: [["source-address", "192.0.2.0/24"]] });
    const algorithm = certificateAlgorithm(key);
    expect(outcome(attemptLogin({ key, certificate: good, trust, algorithm }))).toBe("in");
    const accepted: number[] = [];
    for (let at = 0; at < good.length; at += 1) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const bad = Buffer.from(good);
        bad.writeUInt8(bad.readUInt8(at) ^ mask, at);
        const verdict = attemptLogin({ key, certificate: bad, trust, algorithm });
        if (verdict.kind !== "refused") accepted.push(at);
      }
    }
    expect(accepted).toEqual([]);
  });

  test("cut short or made longer is a WireError", () => {
    const good = makeCertificate({ key: ed25519Key(), authority: ed25519Key() });
    for (let length = 0; length < good.length; length += 1) {
      expect(() => decodeCertificate(good.subarray(0, length))).toThrow(WireError);
    }
    expect(() => decodeCertificate(Buffer.concat([good, Buffer.of(0)]))).toThrow("trailing bytes");
  });

  test("of arbitrary bytes is a WireError and nothing else", () => {
    const type = wireString("ssh-ed25519-cert-v01@openssh.com");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(() => decodeCertificate(bytes)).toThrow(WireError);
        expect(() => decodeCertificate(Buffer.concat([type, wireString("n"), bytes]))).toThrow(WireError);
      }),
    );
  });

  test("holds 256 principals and not one more", () => {
    const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `u${index}`);
    const [key, authority] = [ed25519Key(), ed25519Key()];
    expect(decodeCertificate(makeCertificate({ key, authority, principals: names(256) })).principals).toHaveLength(256);
    expect(() => decodeCertificate(makeCertificate({ key, authority, principals: names(257) }))).toThrow("principals");
  });
});
