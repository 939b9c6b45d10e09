import { timingSafeEqual } from "node:crypto";
import { HOTP, Secret } from "otpauth";

/** RFC 6238's defaults, and the only ones that every authenticator application follows. */
const periodSeconds = 30;
const digits = 6;
const algorithm = "SHA1";

/** RFC 4226 §4 R6 recommends 160 bits. */
export const secretBytes = 20;

/**
 * Steps before and after the present one that are taken too (RFC 6238 §5.2 recommends one for the way): a telephone's clock may
 * be wrong by 30 s, and a code that was on the screen while it was typed may be used. Each further step would double what
 * a guess can hit.
 */
const drift = [-1, 0, 1] as const;

const stepAt = (atMs: number): number => Math.floor(atMs / 1000 / periodSeconds);

const codeOf = (secret: Uint8Array, step: number): string =>
  HOTP.generate({ secret: new Secret({ buffer: new Uint8Array(secret).buffer }), algorithm, digits, counter: step });

/**
 * The newest step within the drift whose code this is, `undefined` for none. The newest, because two steps can share
 * a code: were the older one used up, the same code would do again. Every step is compared, in constant time.
 */
export const findStep = (secret: Uint8Array, code: string, atMs: number): number | undefined => {
  const given = Buffer.from(code);
  let found: number | undefined;
  for (const offset of drift) {
    const step = stepAt(atMs) + offset;
    if (step < 0) continue;
    const expected = Buffer.from(codeOf(secret, step));
    if (given.length === expected.length && timingSafeEqual(given, expected)) found = step;
  }
  return found;
};

export const base32Of = (secret: Uint8Array): string => new Secret({ buffer: new Uint8Array(secret).buffer }).base32;

/**
 * What a QR code says to an authenticator application. Written here and not by the library, which spells the defaults out: with them
 * the QR code doesn't fit into a terminal of 24 rows.
 */
export const uriOf = (secret: Uint8Array, issuer: string, user: string): string => {
  const [by, whom] = [encodeURIComponent(issuer), encodeURIComponent(user)];
  return `otpauth://totp/${by}:${whom}?secret=${base32Of(secret)}&issuer=${by}`;
};
