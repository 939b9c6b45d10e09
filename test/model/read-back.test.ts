import { describe, expect, test } from "vitest";
import { digitsPerGroup, groupsOf, judgeGroup } from "../../server/model/read-back.ts";
import { canonicalRecoveryPassword } from "../../server/model/recovery-password.ts";

/** Numbers below `limit`, the same in each run (Numerical Recipes' generator; the high bits are the good ones). */
const numbers = (seed: number): ((limit: number) => number) => {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
};

const keyOf = (next: (limit: number) => number): string =>
  Array.from({ length: 8 }, () => String(next(65_536) * 11).padStart(digitsPerGroup, "0")).join("-");

/** Every reading with one digit wrong, and every one with two neighbours exchanged. */
const slipsOf = (group: string): string[] => {
  const digits = Array.from(group);
  const wrong = digits.flatMap((own, at) =>
    Array.from("0123456789", (digit) => (digit === own ? [] : [digits.with(at, digit).join("")])).flat(),
  );
  const exchanged = digits.slice(1).map((later, at) =>
    digits
      .with(at, later)
      .with(at + 1, digits[at] ?? "")
      .join(""),
  );
  return [...wrong, ...exchanged.filter((slip) => slip !== group)];
};

describe("a group that is read back", () => {
  const next = numbers(20_261_130);
  const key = keyOf(next);
  const groups = groupsOf(key);

  test("is right where it is the key's own, at its place", () => {
    expect(canonicalRecoveryPassword(key)).toBe(key);
    expect(groups.map((group, index) => judgeGroup(groups, index, group).kind)).toEqual(Array(8).fill("right"));
  });

  test("is told by number where it is another group of the same key", () => {
    expect(judgeGroup(groups, 2, groups[5] ?? "")).toEqual({ kind: "misplaced", group: 6 });
  });

  test("is impossible where no key has it, and foreign where one could", () => {
    expect([judgeGroup(groups, 0, "123456"), judgeGroup(groups, 0, "720896"), judgeGroup(groups, 0, "000011")]).toEqual(
      [
        { kind: "impossible" },
        { kind: "impossible" }, // divisible by 11, but above 65535 × 11
        { kind: "foreign" },
      ],
    );
  });

  test("is marked with each single digit wrong and each two neighbours exchanged: over 100,000 readings", () => {
    let readings = 0;
    const marked = { impossible: 0, foreign: 0, misplaced: 0 };
    for (let count = 0; count < 250; count += 1) {
      const own = groupsOf(keyOf(next));
      for (const [index, group] of own.entries()) {
        for (const slip of slipsOf(group)) {
          const { kind } = judgeGroup(own, index, slip);
          readings += 1;
          if (kind !== "right") marked[kind] += 1;
        }
      }
    }
    expect(readings).toBeGreaterThan(100_000);
    expect(marked.impossible + marked.foreign + marked.misplaced).toBe(readings);
    // The rule of eleven finds every one of them without the key (Hamming, weights 1 and -1): nothing is left to chance.
    expect(marked.foreign + marked.misplaced).toBe(0);
  });
});
