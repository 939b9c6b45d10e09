import { assert as assertProperty, property, string, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  backupToFiles,
  createMasterKey,
  restoreFromBytes,
  restoreFromFiles,
} from "../../server/site-database/sql-server/certificate-statements.ts";
import { quoteBytes, quoteText, UnquotableText } from "../../server/site-database/sql-server/quoting.ts";

/*
 * ATTACK  A password or file name with quotation marks, comments, semicolons, look-alikes of the apostrophe, zero characters
 *         or broken surrogate pairs is given to a statement that takes literals only.
 * DANGER  The text ends its literal and the rest of it runs as T-SQL, with CONTROL on the certificate.
 * EXPECT  Whatever the text, the statement keeps its own tokens and the literal's value is the text, or it is refused.
 */

/** A lexer written from Microsoft's page on constants and comments, not from the code under test. */
const tokens = (sql: string): readonly { readonly kind: string; readonly text: string }[] => {
  const found: { kind: string; text: string }[] = [];
  const rules: readonly (readonly [string, RegExp])[] = [
    ["comment", /--[^\n\r]*|\/\*[\s\S]*?\*\//y],
    ["string", /N?'(?:[^']|'')*'/y],
    ["bracketed", /\[(?:[^\]]|\]\])*\]/y],
    ["quoted", /"(?:[^"]|"")*"/y],
    ["bytes", /0x[0-9A-Fa-f]*/y],
    ["word", /[#@A-Za-z_][\w#@$]*/y],
    ["number", /\d+/y],
    ["space", /\s+/y],
    ["sign", /[^\w\s'"]/y],
  ];
  for (let at = 0; at < sql.length;) {
    const before = at;
    for (const [kind, pattern] of rules) {
      pattern.lastIndex = at;
      const match = pattern.exec(sql);
      if (match === null) continue;
      found.push({ kind, text: match[0] });
      at += match[0].length;
      break;
    }
    if (at === before) throw new Error(`nothing matches at ${at}: ${sql.slice(at, at + 20)}`);
  }
  return found;
};

const valueOf = (literal: string): string => literal.replace(/^N'|'$/g, "").replaceAll("''", "'");

const attacks = [
  "'",
  "''",
  "'''",
  "x'; DROP CERTIFICATE BitLockerManagement_CERT; --",
  "x') EXEC sp_addsrvrolemember 'eve', 'sysadmin' --",
  "\u02BC; DROP TABLE x; --",
  "\uFF07; DROP TABLE x; --",
  "\u2019 OR 1=1",
  "/*' */ '",
  "--",
  "]; --",
  '"',
  "0x41",
  "a\nGO\nDROP TABLE x",
  "a\r\nb",
  "\\",
  "N'",
  "'+CHAR(39)+'",
  "%s{0}$1$&$'",
];

describe("a text in a literal", () => {
  test.each(attacks)("stays inside it: %j", (attack) => {
    const [first, ...rest] = tokens(quoteText(attack));
    expect(rest).toEqual([]);
    expect(first?.kind).toBe("string");
    expect(valueOf(first?.text ?? "")).toBe(attack);
  });

  test("stays inside it, whatever it is", () => {
    assertProperty(
      property(string({ unit: "binary", maxLength: 60 }), (text) => {
        let quoted: string;
        try {
          quoted = quoteText(text);
        } catch (error) {
          // Refusing is right for these only.
          expect(error).toBeInstanceOf(UnquotableText);
          expect(text.includes("\0") || !text.isWellFormed() || /\\[\r\n]/.test(text)).toBe(true);
          return;
        }
        const found = tokens(quoted);
        expect(found).toHaveLength(1);
        expect(valueOf(found[0]?.text ?? "")).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test.each(["\0", "a\0'", "\ud800", "\udc00'", "a\\\nb", "a\\\r\nb"])(
    "is refused, without being repeated: %j",
    (text) => {
      expect(() => quoteText(text)).toThrow(UnquotableText);
      expect(() => quoteText(`geheim${text}`)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining("geheim") }),
      );
    },
  );
});

describe("bytes in a literal", () => {
  test("are hexadecimal and nothing else", () => {
    expect(quoteBytes(Uint8Array.of(0, 255, 16))).toBe("0x00FF10");
    assertProperty(
      property(uint8Array({ minLength: 1 }), (bytes) => {
        expect(tokens(quoteBytes(bytes)).map((token) => token.kind)).toEqual(["bytes"]);
        expect(Buffer.from(quoteBytes(bytes).slice(2), "hex")).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test("are refused when there are none: 0x alone would be an empty key", () => {
    expect(() => quoteBytes(new Uint8Array())).toThrow(UnquotableText);
  });
});

describe("a certificate statement", () => {
  const shapeOf = (sql: string): readonly string[] =>
    tokens(sql)
      .filter((token) => token.kind !== "space")
      .map((token) => (token.kind === "string" && token.text.startsWith("N'") ? "N'…'" : token.text));
  const bytes = Uint8Array.of(1, 2);

  test.each(attacks)("keeps its form with any password and path: %j", (attack) => {
    const files = (text: string) => ({ certificatePath: text, keyPath: text });
    expect(shapeOf(createMasterKey(attack).text)).toEqual(shapeOf(createMasterKey("x").text));
    expect(shapeOf(backupToFiles(files(attack), attack).text)).toEqual(shapeOf(backupToFiles(files("x"), "x").text));
    expect(shapeOf(restoreFromFiles(files(attack), attack).text)).toEqual(
      shapeOf(restoreFromFiles(files("x"), "x").text),
    );
    expect(shapeOf(restoreFromBytes(bytes, bytes, attack).text)).toEqual(
      shapeOf(restoreFromBytes(bytes, bytes, "x").text),
    );
  });

  test("that holds a password is marked, so that nobody repeats what the server says about it", () => {
    for (const statement of [
      createMasterKey("x"),
      backupToFiles({ certificatePath: "a", keyPath: "b" }, "x"),
      restoreFromFiles({ certificatePath: "a", keyPath: "b" }, "x"),
      restoreFromBytes(bytes, bytes, "x"),
    ])
      expect(statement.sensitive).toBe(true);
  });
});
