import { randomBytes, randomInt, scrypt, timingSafeEqual } from "node:crypto";

/** Crockford's base 32: no letter that is taken for a digit. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const symbols = 10;
const shape = /^[0-9a-hjkmnp-tv-z]{10}$/;
const howMany = 10;
const hashBytes = 32;

/**
 * 50 random bits need no slow hash against guessing through the server, but a thief of file and key could try them all: with 2^14
 * (16 MiB, RFC 7914's figure for interactive use) that takes centuries of processor time, and a log-in 50 ms.
 */
const cost = { cost: 16_384, blockSize: 8, parallelization: 1 } as const;

export interface HashedCodes {
  readonly salt: Buffer;
  readonly hashes: readonly Buffer[];
}

const hash = (code: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(code, salt, hashBytes, cost, (error, hashed) => (error === null ? resolve(hashed) : reject(error)));
  });

/** What was typed in its canonical spelling; `undefined` when it can't be a recovery code. */
export const canonicalCode = (typed: string): string | undefined => {
  const code = typed.toLowerCase().replaceAll(/[\s-]/g, "").replaceAll("o", "0").replaceAll(/[il]/g, "1");
  return shape.test(code) ? code : undefined;
};

/** Ten codes as people copy them, and what is kept of them. One salt for all: whoever checks one need not hash ten times. */
export const makeRecoveryCodes = async (): Promise<{
  readonly codes: readonly string[];
  readonly kept: HashedCodes;
}> => {
  const salt = randomBytes(16);
  const codes = Array.from({ length: howMany }, () =>
    Array.from({ length: symbols }, () => alphabet.charAt(randomInt(alphabet.length))).join(""),
  );
  const hashes = await Promise.all(codes.map((code) => hash(code, salt)));
  return { codes: codes.map((code) => `${code.slice(0, 5)}-${code.slice(5)}`), kept: { salt, hashes } };
};

/** Which of the codes this is, `undefined` for none. @param code in its canonical spelling */
export const findRecoveryCode = async (code: string, { salt, hashes }: HashedCodes): Promise<number | undefined> => {
  const given = await hash(code, salt);
  let found: number | undefined;
  for (const [index, kept] of hashes.entries()) if (timingSafeEqual(given, kept)) found = index;
  return found;
};
