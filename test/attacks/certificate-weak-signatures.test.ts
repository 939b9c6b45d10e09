/*
 * ATTACK  A certificate is signed with SHA-1 by an RSA authority; a log-in with an RSA certificate is signed with SHA-1, or with
 *         another hash than was asked for.
 * DANGER  SHA-1 collisions: two certificates with one signature.
 * EXPECT  Refused; the same with SHA-2 is accepted.
 */
import { expect, test } from "vitest";
import { authority, trust, withCertificate } from "../harness/good-certificate.ts";
import { attemptLogin, outcome, trusting } from "../harness/key-attempt.ts";
import { makeCertificate, rsaKey } from "../harness/signing-key.ts";

test("SHA-1 signs neither certificates nor log-ins", () => {
  const rsa = rsaKey(3072);
  const trustingRsa = trusting({ authorities: [rsa, authority] });
  const by = (algorithm: string, hash: string): string =>
    withCertificate({ authority: rsa, signing: { algorithm, hash } }, { trust: trustingRsa });
  expect(by("ssh-rsa", "sha1")).toContain("the authority's signature is wrong");
  expect(by("rsa-sha2-256", "sha1")).toContain("the authority's signature is wrong");
  expect(by("rsa-sha2-256", "sha256")).toBe("in");
  const certificate = makeCertificate({ key: rsa, authority });
  const login = (asked: string, algorithm: string, hash: string): string =>
    outcome(
      attemptLogin({
        key: rsa,
        certificate,
        trust,
        algorithm: `${asked}-cert-v01@openssh.com`,
        signing: { algorithm, hash },
      }),
    );
  expect(login("ssh-rsa", "ssh-rsa", "sha1")).not.toBe("in");
  expect(login("rsa-sha2-512", "ssh-rsa", "sha1")).toBe("the signature is wrong");
  expect(login("rsa-sha2-512", "rsa-sha2-256", "sha256")).toBe("the signature is wrong");
  expect(login("rsa-sha2-512", "rsa-sha2-512", "sha512")).toBe("in");
});
