import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CodeDelay } from "../../../server/identity/second-factor/code-delay.ts";
import {
  canonicalCode,
  findRecoveryCode,
  makeRecoveryCodes,
} from "../../../server/identity/second-factor/recovery-codes.ts";
import { hotp, outcomeOf, stageSecondFactors } from "../../harness/second-factor-stage.ts";

const key = "SHA256:laptop";
const support = { connectedUser: "support", keyFingerprint: key };

test("a code lets in once, and the next one lets in again", async () => {
  const stage = stageSecondFactors();
  const { secret } = await stage.enrol("support");
  const give = async (answer: string): Promise<string> =>
    outcomeOf(await stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: key, answer }));
  const code = stage.codeOf(secret);
  expect(await give(`${code.slice(0, 3)} ${code.slice(3)}`)).toBe("in"); // as telephones show it
  expect(await give(code)).toBe("the code was used before");
  stage.now.at += 30_000;
  expect(await give(code)).toBe("the code was used before");
  expect(await give(stage.codeOf(secret))).toBe("in");
});

test(
  "whatever is given in whatever order, no step is accepted twice, nor an older one after it",
  { timeout: 60_000 },
  async () => {
    const stage = stageSecondFactors();
    const { secret } = await stage.enrol("support");
    let newest = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: 0, max: 40_000 })), { maxLength: 12 }),
        async (moves) => {
          for (const [offset, later] of moves) {
            stage.now.at += later;
            const step = Math.floor(stage.now.at / 30_000) + offset;
            // Another key each time, and a restart: the delay after wrong codes is another test's.
            const keyFingerprint = `SHA256:${stage.now.at}.${offset}`;
            const answer = hotp(secret, step);
            const verdict = await stage.restarted().judge({ connectedUser: "support", keyFingerprint, answer });
            const isNear = Math.abs(offset) <= 1;
            expect(outcomeOf(verdict)).toBe(
              !isNear ? "the code is wrong" : step > newest ? "in" : "the code was used before",
            );
            if (verdict.kind === "accepted") newest = step;
          }
        },
      ),
      { numRuns: 40 },
    );
  },
);

test("each recovery code is good once, in any spelling, and says how many are left", async () => {
  const stage = stageSecondFactors();
  const { recoveryCodes } = await stage.enrol("support");
  expect(new Set(recoveryCodes).size).toBe(10);
  for (const [index, code] of recoveryCodes.entries()) {
    const answer = index % 2 === 0 ? code : ` ${code.toUpperCase().replace("-", " ").replaceAll("0", "O")} `;
    expect(await stage.secondFactor.judge({ connectedUser: "support", keyFingerprint: key, answer })).toEqual({
      kind: "accepted",
      factor: "recovery-code",
      recoveryCodesLeft: 9 - index,
    });
    const again = await stage.restarted().judge({ connectedUser: "support", keyFingerprint: key, answer: code });
    expect(outcomeOf(again)).toBe("the recovery code was used before");
  }
});

test("recovery codes are read as people copy them", async () => {
  expect(canonicalCode("ABCDE-FGH1K")).toBe("abcdefgh1k");
  expect(canonicalCode("oO0il-1zzzz")).toBe("000111zzzz");
  for (const wrong of ["", "123456", "abcde-fghjk-m", "abcde-fghju", "абвгд-fghjk"]) {
    expect(canonicalCode(wrong)).toBeUndefined();
  }
  const { codes, kept } = await makeRecoveryCodes();
  expect(await findRecoveryCode(canonicalCode(codes[3] ?? "") ?? "", kept)).toBe(3);
  expect(await findRecoveryCode("0000000000", kept)).toBeUndefined();
  expect(kept.hashes.map(String).join()).not.toContain(codes[0]);
});

test("the wait after wrong codes begins with the third, doubles to a quarter of an hour, and ends", () => {
  const delay = new CodeDelay();
  const waits: number[] = [];
  let at = 0;
  for (let wrong = 0; wrong < 10; wrong += 1) {
    delay.failed(support, at);
    const wait = delay.waitMs(support, at);
    waits.push(wait / 1000);
    expect(delay.waitMs(support, at + wait)).toBe(0);
    at += wait;
  }
  expect(waits).toEqual([0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
  expect(delay.waitMs({ ...support, keyFingerprint: "SHA256:another" }, at)).toBe(0);
  expect(delay.waitMs({ connectedUser: "exporter", keyFingerprint: "SHA256:another" }, at)).toBe(0);
  // The same key under another name is the same person.
  expect(delay.waitMs({ ...support, connectedUser: "exporter" }, at - 1)).toBeGreaterThan(0);
  delay.succeeded(support);
  expect(delay.waitMs(support, at)).toBe(0);
});

test("a day without a wrong code forgets those before", () => {
  const delay = new CodeDelay();
  for (let wrong = 0; wrong < 5; wrong += 1) delay.failed(support, 0);
  const later = 25 * 60 * 60_000;
  delay.failed(support, later);
  expect(delay.waitMs(support, later)).toBe(0);
});
