/*
 * ATTACK: a value slips past a role's pattern or set: a newline or NUL after what matches, a second list element, a
 *         compatibility letter that the database folds into another, a part of the value that matches; or a pattern that
 *         makes a backtracking engine run for years, written by mistake or sent by someone who knows it.
 * DANGER: keys of computers that the role excludes; or the server stands still for everyone.
 * EXPECT: the whole of each value is matched, control characters never, in linear time.
 */
import { expect, test } from "vitest";
import { compilePattern, makeValueRule } from "../../server/authorization/value-rule.ts";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";

const limited = (name: string, rule: object) =>
  decode(withEntries({ name: "Get-RecoveryKeys", parameters: [{ name, ...rule }] }));
const labOnly = limited("ComputerName", { validatePattern: "LAB-[0-9]+" });
const reasons = limited("Reason", { validatePattern: "ticket [0-9]+" });

test.each([
  "LAB-1\n",
  "LAB-1\r",
  "LAB-1\u0000",
  "LAB-1\u0000HR-1",
  "LAB-1\nHR-1",
  "\nLAB-1",
  "LAB-1\u0085",
  "LAB-1\u2028",
])("%j never matches", (value) => {
  expect(makeValueRule(undefined, "LAB-[0-9]+").allows(value)).toBe(false);
  expect(makeValueRule(undefined, "(?s:.*)").allows(value)).toBe(value.endsWith("\u2028"));
  expect(outcome(labOnly, `Get-RecoveryKeys '${value}'`)).not.toMatch(/^accepted/);
});

test.each(["`n", "`0", "`r`n", "`u{a}", "`u{0}", "`u{2028}"])(
  "%s as an escape doesn't get a control character in",
  (escape) => {
    expect(outcome(reasons, `Get-RecoveryKeys -Reason "ticket 1${escape}"`)).toMatch(/control characters/);
  },
);

test.each([
  "HR-1",
  "LAB-1,HR-1",
  "HR-1,LAB-1",
  "'LAB-1,HR-1'",
  "LAB-1x",
  "xLAB-1",
  "LAB-",
  "LAB-１",
  "ＬＡＢ-1",
  "LAB-1%",
  "'HR-1 '",
])("computer %s is refused", (typed) => {
  expect(outcome(labOnly, `Get-RecoveryKeys ${typed}`)).not.toMatch(/^accepted/);
});

test("blanks around a name are no part of it, and the rule is held against what is asked for", () => {
  expect(outcome(labOnly, "Get-RecoveryKeys 'LAB-1 '")).toMatch(/^accepted/);
});

test("alternatives are anchored as a whole, and the pattern's own anchors and flags open nothing", () => {
  for (const pattern of ["LAB-1|HR", "^LAB-1$|^HR$", "(?m)^LAB-1$|HR", "(?-i)LAB-1|HR"]) {
    const allows = compilePattern(pattern);
    expect([allows("LAB-1"), allows("HR")], pattern).toEqual([true, true]);
    expect(["LAB-10", "xHR", "HR-1", "LAB-1HR", "HR\nLAB-1"].filter(allows), pattern).toEqual([]);
  }
});

test("letters that fold into others in a database's collation are no computer's name", () => {
  const notS = limited("ComputerName", { validatePattern: "[^s].*" });
  for (const name of ["ＳERVER", "ſERVER", "ˢERVER", "Ⓢerver"]) {
    expect(outcome(notS, `Get-RecoveryKeys ${name}`)).toMatch(/exact name/);
  }
  expect(outcome(notS, "Get-RecoveryKeys SERVER")).toMatch(/must match/);
});

test("a set is not matched by what JavaScript's own property names or wildcards would match", () => {
  const roles = limited("ComputerName", { validateSet: ["PC-1"] });
  for (const name of ["constructor", "length", "0", "PC-.", "P"]) {
    expect(outcome(roles, `Get-RecoveryKeys ${name}`)).toMatch(/must be one of: PC-1\.$/);
  }
});

/** Each takes a backtracking engine longer than this test may run. */
test.each(["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}", "(a*)*b", "([a-zA-Z]+)*$", "(a?){60}a{60}"])(
  "%s is answered for 1,000 characters",
  (pattern) => {
    const allows = compilePattern(pattern);
    expect(allows(`${"a".repeat(1000)}!`)).toBe(false);
    expect(
      outcome(limited("Reason", { validatePattern: pattern }), `Get-RecoveryKeys -Reason ${"a".repeat(250)}!`),
    ).toMatch(/must match/);
  },
);

test("a pattern can't be made huge by nested repetition", () => {
  const problem = (pattern: string): string => {
    try {
      limited("Reason", { validatePattern: pattern });
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
    return "";
  };
  expect(problem("a{1001}")).toMatch(/is no regular expression of RE2/);
  expect(problem("((a{500}){500}){500}")).toMatch(/is no regular expression of RE2/);
  expect(problem("a".repeat(501))).toMatch(/must be at most 500/);
});
