/*
 * ATTACK  A certificate is used a second before its time, and in the second in which it ends.
 * DANGER  An off-by-one keeps a leaver in.
 * EXPECT  validAfter <= now < validBefore, to the second, and 64 bits wide.
 */
import { expect, test } from "vitest";
import { withCertificate } from "../harness/good-certificate.ts";

test("a certificate counts from its first second to the one before its last", () => {
  const at = (seconds: number): string =>
    withCertificate({ validAfter: 1000n, validBefore: 2000n }, { nowMs: seconds * 1000 });
  expect([999.999, 1000, 1999.999, 2000].map(at)).toEqual([
    "the certificate is not yet valid",
    "in",
    "in",
    "the certificate is expired",
  ]);
  expect(withCertificate({ validAfter: 2n ** 63n })).toBe("the certificate is not yet valid");
  expect(withCertificate({ validAfter: 5n, validBefore: 5n }, { nowMs: 5000 })).toBe("the certificate is expired");
});
