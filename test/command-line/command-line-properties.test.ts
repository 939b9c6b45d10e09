import * as fc from "fast-check";
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { Refusal } from "../../server/errors.ts";
import { findUnprintable } from "../../server/model/harmless-text.ts";
import { maximumLineLength, parseCommandLine } from "../../server/command-line/parse.ts";
import type { Stage, Word } from "../../server/command-line/parse.ts";
import type { Value } from "../../server/command-line/read-value.ts";
import { rounds } from "../harness/share.ts";

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,12}(-[A-Za-z0-9]{1,8})?$/);
const parameterName = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,12}$/);
const text = fc
  .oneof(
    fc.string({ maxLength: 20 }),
    fc.string({ unit: "grapheme", maxLength: 20 }),
    fc.constantFrom("-raw", "a,b", "$x", "'", '"', "`", "|"),
  )
  .filter((one) => findUnprintable(one) === undefined);
const value: fc.Arbitrary<Value> = fc.oneof(text, fc.array(text, { minLength: 2, maxLength: 4 }));
const word: fc.Arbitrary<Word> = fc.oneof(
  value.map((one) => ({ kind: "value" as const, value: one })),
  parameterName.map((one) => ({ kind: "parameter" as const, name: one })),
  fc.tuple(parameterName, value).map(([one, attached]) => ({ kind: "parameter" as const, name: one, attached })),
);
const stages: fc.Arbitrary<readonly Stage[]> = fc.array(fc.record({ name, words: fc.array(word, { maxLength: 5 }) }), {
  minLength: 1,
  maxLength: 3,
});

/** Both ways of quoting; which one is chosen by the text, so that both are met. */
const quoted = (one: string): string =>
  one.length % 2 === 0
    ? `'${one.replace(/['‘’‚‛]/g, (quote) => quote + quote)}'`
    : `"${one.replace(/[`"“”„$]/g, (special) => `\`${special}`)}"`;
const renderValue = (one: Value): string => (typeof one === "string" ? quoted(one) : one.map(quoted).join(", "));
const renderWord = (one: Word): string =>
  one.kind === "value"
    ? renderValue(one.value)
    : `-${one.name}${one.attached === undefined ? "" : `:${renderValue(one.attached)}`}`;
const render = (line: readonly Stage[]): string =>
  line.map((stage) => [stage.name, ...stage.words.map(renderWord)].join(" ")).join(" | ");

test("any names and values, rendered with quotes, are read back as they were", () => {
  fc.assert(
    fc.property(stages, (line) => {
      expect(parseCommandLine(render(line))).toEqual(line);
    }),
    { numRuns: rounds(300, 1000) },
  );
});

/** What a reader threw that is no refusal; nothing when it read the text or refused it. */
const crashOf = (read: () => unknown): unknown => {
  try {
    read();
  } catch (error) {
    return error instanceof Refusal ? undefined : error;
  }
  return undefined;
};

const special = fc.stringMatching(/^[-–'"‘’“”`,|:;&$@#(){}<>?%=*. \t\na0{}]{0,60}$/);
const known = fc.constantFrom(
  "Get-RecoveryKeys ",
  "Get-Help ",
  "verify-cert ",
  "Get-Command | Select-Object ",
  "-raw",
  "-Format ",
);
const anyLine = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  special,
  fc.array(fc.oneof(special, known), { maxLength: 6 }).map((parts) => parts.join("")),
);

test("any text is read or refused, never anything else", () => {
  fc.assert(
    fc.property(anyLine, (line) => {
      expect(crashOf(() => parseCommandLine(line))).toBeUndefined();
    }),
    { numRuns: rounds(1000, 3000) },
  );
});

test("any text is bound or refused, never anything else, whoever types it", () => {
  const roles = decodeRoles(
    JSON.stringify({
      roleCapabilities: {
        all: { visibleCommands: [{ name: "Get-RecoveryKeys", parameters: ["ComputerName", "raw"] }, "verify-cert"] },
      },
      roleDefinitions: { "user:alice": { roleCapabilities: ["all"] } },
    }),
    commands,
  );
  const everyone = [roles.commandsFor("alice"), roles.commandsFor("bob")];
  fc.assert(
    fc.property(anyLine, (line) => {
      for (const visible of everyone) expect(crashOf(() => visible.bindLine(line))).toBeUndefined();
    }),
    { numRuns: rounds(700, 2000) },
  );
});

test("the longest lines of one repeated piece are read or refused as well", () => {
  // A reader that backtracks over any of these would not come back.
  for (const piece of [
    "'",
    '"',
    "`",
    "``",
    "a,",
    "-a",
    "{",
    "{a",
    "''",
    '""',
    "“",
    " ",
    "\u00a0",
    "a'b'",
    "-a:",
    "123456-",
    "|a",
  ]) {
    const longest = piece.repeat(Math.floor((maximumLineLength - 2) / piece.length));
    expect(crashOf(() => parseCommandLine(`X ${longest}`))).toBeUndefined();
    expect(crashOf(() => parseCommandLine(longest))).toBeUndefined();
  }
  expect(parseCommandLine(`X ${" ".repeat(maximumLineLength - 3)}a`)[0].words).toHaveLength(1);
});

test("a line longer than the limit is refused before it is looked at", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 5 }), (piece) => {
      const line = piece.repeat(maximumLineLength + 1);
      expect(() => parseCommandLine(line)).toThrow(/at most 8192 characters/);
    }),
  );
});
