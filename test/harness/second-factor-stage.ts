import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { CodeDelay } from "../../server/identity/second-factor/code-delay.ts";
import { FactorStore } from "../../server/identity/second-factor/factor-store.ts";
import { createSecondFactor } from "../../server/identity/second-factor/judge-code.ts";
import { makeRecoveryCodes } from "../../server/identity/second-factor/recovery-codes.ts";
import type { CodeVerdict, SecondFactor } from "../../server/identity/log-in.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** RFC 4226 §5.3 by hand, independent of the server's library. */
export const hotp = (secret: Uint8Array, counter: number, digits = 6): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac("sha1", secret).update(bytes).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** digits;
  return String(number).padStart(digits, "0");
};

export interface Stage {
  readonly store: FactorStore;
  /** Opens the same files anew, as a server that was started again does. */
  restarted(synchronize?: (file: FileHandle) => Promise<void>): SecondFactor;
  readonly secondFactor: SecondFactor;
  readonly directory: string;
  readonly keyFile: string;
  /** `now.at` is the time, in ms. */
  readonly now: { at: number };
  enrol(
    user: string,
    options?: { readonly newRecoveryCodes?: boolean },
  ): Promise<{ readonly secret: Buffer; readonly recoveryCodes: readonly string[] }>;
  /** The code of now, or of so many steps from now. */
  codeOf(secret: Uint8Array, steps?: number): string;
}

let made: ReturnType<typeof makeRecoveryCodes> | undefined;
/** Hashing ten codes takes seconds on a busy machine, so most tests of a file share theirs. */
const shared = (): ReturnType<typeof makeRecoveryCodes> => (made ??= makeRecoveryCodes());

/** Second factors in a folder of their own, with a clock that stands still. Everybody needs one, unless said. */
export const stageSecondFactors = (isRequired: (user: string) => boolean = () => true): Stage => {
  const directory = temporaryDirectory();
  const keyFile = join(directory, "second-factor-key");
  writeFileSync(keyFile, randomBytes(32), { mode: 0o600 });
  const places = { factors: join(directory, "state", "factors"), uses: join(directory, "state", "uses"), keyFile };
  mkdirSync(join(directory, "state"), { mode: 0o700 });
  const now = { at: Date.UTC(2026, 10, 22, 12, 0, 7) };
  const restarted = (synchronize?: (file: FileHandle) => Promise<void>): SecondFactor =>
    createSecondFactor({
      store: new FactorStore(places, synchronize),
      delay: new CodeDelay(),
      isRequired,
      now: () => now.at,
    });
  const store = new FactorStore(places);
  return {
    store,
    restarted,
    secondFactor: restarted(),
    directory,
    keyFile,
    now,
    async enrol(user, options = {}) {
      const secret = randomBytes(20);
      const { codes, kept } = options.newRecoveryCodes === true ? await makeRecoveryCodes() : await shared();
      // Confirmed long before: no test's code is used up by it.
      const confirmedStep = Math.floor(now.at / 30_000) - 100;
      await store.enrol(user, { secret, confirmedStep, recovery: kept }, new Date(now.at));
      return { secret, recoveryCodes: codes };
    },
    codeOf: (secret, steps = 0) => hotp(secret, Math.floor(now.at / 30_000) + steps),
  };
};

/** "in", or why not. */
export const outcomeOf = (verdict: CodeVerdict): string => (verdict.kind === "accepted" ? "in" : verdict.reason);
