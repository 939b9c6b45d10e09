import { guidsIn } from "./fields.ts";
import { recoveryPasswordsIn } from "./password-account.ts";

const word = /[\p{L}\p{N}][\p{L}\p{N}_-]{1,62}/gu;
const shape = (name: string): string => name.replace(/\p{L}/gu, "A").replace(/\d/g, "9");
/** `PC-` of `PC-0815`. */
const stem = (name: string): string => /^\p{L}[\p{L}_-]+(?=\d)/u.exec(name)?.[0] ?? "";

/**
 * A word beside a key that is made like the given computer's name and is another one: `PC-0816` beside `PC-0815`. Prose
 * has no label for it, and what it names must not get another's key.
 */
export const otherNameIn = (text: string, given: string | undefined): string | undefined => {
  const name = given?.split(".")[0]?.toUpperCase() ?? "";
  if (!/\d/.test(name) || !/\p{L}/u.test(name)) return undefined;
  let rest = text;
  for (const { guid } of guidsIn(text)) rest = rest.replaceAll(new RegExp(guid, "gi"), " ");
  for (const { index, length } of recoveryPasswordsIn(rest)) {
    rest = rest.slice(0, index) + " ".repeat(length) + rest.slice(index + length);
  }
  return (rest.toUpperCase().match(word) ?? []).find(
    (other) => other !== name && (shape(other) === shape(name) || (stem(name) !== "" && stem(other) === stem(name))),
  );
};
