import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { URI } from "otpauth";
import { describe, expect, test } from "vitest";
import { base32Of, findStep, uriOf } from "../../../server/identity/second-factor/totp.ts";
import { hotp } from "../../harness/second-factor-stage.ts";

const hasOathtool = ((): boolean => {
  try {
    execFileSync("oathtool", ["--version"]);
    return true;
  } catch {
    return false;
  }
})();

/** RFC 6238, appendix B: the rows of SHA-1. They have eight digits; six are the last six of them (RFC 4226 §5.3). */
const vectors = [
  [59, "94287082"],
  [1_111_111_109, "07081804"],
  [1_111_111_111, "14050471"],
  [1_234_567_890, "89005924"],
  [2_000_000_000, "69279037"],
  [20_000_000_000, "65353130"],
] as const;
const rfcSecret = Buffer.from("12345678901234567890");

describe("the vectors of RFC 6238", () => {
  test.each(vectors)("%d s", (seconds, eightDigits) => {
    expect(findStep(rfcSecret, eightDigits.slice(-6), seconds * 1000)).toBe(Math.floor(seconds / 30));
  });
});

const secrets = fc.uint8Array({ minLength: 20, maxLength: 20 });
const times = fc.integer({ min: 120, max: 2 ** 32 });

test("a code is taken one step early, in time and one step late, and not two steps off", () => {
  fc.assert(
    fc.property(secrets, times, fc.integer({ min: -4, max: 4 }), (secret, seconds, offset) => {
      const step = Math.floor(seconds / 30);
      const code = hotp(secret, step + offset);
      const found = findStep(secret, code, seconds * 1000);
      const fits = [-1, 0, 1].filter((near) => hotp(secret, step + near) === code);
      // The newest where several fit: an older one would leave the same code good again.
      expect(found).toBe(fits.length === 0 ? undefined : step + Math.max(...fits));
    }),
  );
});

test("of two steps that share a code the newer is found", () => {
  const secret = Buffer.alloc(20);
  const step = 418_590; // the first, found by trying
  expect([hotp(secret, step), hotp(secret, step + 1)]).toEqual(["903848", "903848"]);
  expect(findStep(secret, "903848", step * 30_000)).toBe(step + 1);
});

test("what is not six digits of a near step is no code", () => {
  fc.assert(
    fc.property(secrets, fc.string({ maxLength: 12 }), times, (secret, typed, seconds) => {
      const step = Math.floor(seconds / 30);
      fc.pre(![-1, 0, 1].some((offset) => hotp(secret, step + offset) === typed));
      expect(findStep(secret, typed, seconds * 1000)).toBeUndefined();
    }),
  );
});

test("the start of time has no step before it", () => {
  expect(findStep(rfcSecret, hotp(rfcSecret, 0), 0)).toBe(0);
});

test("the address in the QR code is one that authenticators read, whatever the user's name", () => {
  fc.assert(
    fc.property(secrets, fc.stringMatching(/^[a-z0-9][a-z0-9._@-]{0,63}$/), (secret, user) => {
      const otp = URI.parse(uriOf(secret, "pep.example", user));
      expect(otp.toString()).toContain("algorithm=SHA1&digits=6&period=30");
      expect([otp.issuer, otp.label]).toEqual(["pep.example", user]);
      expect(Buffer.from(otp.secret.bytes)).toEqual(Buffer.from(secret));
    }),
  );
});

test.skipIf(!hasOathtool)("oathtool makes the same codes from the base 32 that is shown", () => {
  for (const [seconds] of vectors.slice(0, 5)) {
    const at = new Date(seconds * 1000)
      .toISOString()
      .replace(/\.\d+Z/, " UTC")
      .replace("T", " ");
    const theirs = execFileSync("oathtool", ["--totp", "-b", base32Of(rfcSecret), "--now", at], { encoding: "utf8" });
    expect(findStep(rfcSecret, theirs.trim(), seconds * 1000)).toBe(Math.floor(seconds / 30));
  }
});
