import { RE2JS } from "re2js";

/** Which values of one parameter a role allows. */
export interface ValueRule {
  readonly allows: (text: string) => boolean;
  readonly set: readonly string[] | undefined;
  /** As written in the roles file. */
  readonly pattern: string | undefined;
}

/**
 * Compiles a pattern for whole values, without case.
 * RE2, because a role's author must not be able to hang the server with a pattern: JavaScript's own engine backtracks.
 * RE2 has no look-around and no back references; such a pattern is an error.
 *
 * @throws Error when it is no regular expression of RE2
 */
export const compilePattern = (pattern: string): ((text: string) => boolean) => {
  const compiled = RE2JS.compile(pattern, RE2JS.CASE_INSENSITIVE);
  // A control character never matches, not even by `.` under (?s), nor by `$` before a final newline, as .NET's does.
  return (text) => !/\p{Cc}/u.test(text) && compiled.testExact(text);
};

export const sameText = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** Both must hold where both are given: a rule more never allows more. */
export const makeValueRule = (set: readonly string[] | undefined, pattern: string | undefined): ValueRule => {
  const matches = pattern === undefined ? () => true : compilePattern(pattern);
  return {
    set,
    pattern,
    allows: (text) => (set === undefined || set.some((value) => sameText(value, text))) && matches(text),
  };
};
