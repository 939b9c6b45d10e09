import { describe, expect, test } from "vitest";
import { computerName, freeText, integer, keyIdOrPrefix, oneOf, since } from "../../server/command/parameter-kinds.ts";
import type { Kind } from "../../server/command/parameters.ts";
import { momentOf } from "../../server/model/moment.ts";

const textOf = (kind: Kind<unknown>, typed: string): string | undefined => {
  const decoded = kind.decode(typed);
  return "problem" in decoded ? undefined : decoded.text;
};

describe("a key id", () => {
  const whole = "24B0AA32-F8D0-40BA-BB05-73A800324C09";
  test.each([
    [whole, whole],
    [whole.toLowerCase(), whole],
    [`{${whole}}`, whole],
    [whole.replaceAll("-", ""), whole],
    ["24b0aa32", "24B0AA32"],
    ["24b0aa32-", "24B0AA32"],
    ["24b0aa32-f8", "24B0AA32-F8"],
    ["24b0aa32f8", "24B0AA32-F8"],
    ["{24b0aa32}", "24B0AA32"],
  ])("%s is %s", (typed, canonical) => {
    expect(textOf(keyIdOrPrefix, typed)).toBe(canonical);
  });

  test.each([
    "24b0aa3",
    "",
    "{}",
    "24b0aa3z",
    "24b0-aa32",
    "24b0aa32--f8",
    `${whole}0`,
    `{${whole}`,
    `${whole}}`,
    "24b0aa32%",
    "２４b0aa32",
  ])("%j is none", (typed) => {
    expect(textOf(keyIdOrPrefix, typed)).toBeUndefined();
  });

  test.each([
    ["24BOAA32", "of digits and the letters A to F: the digit 0, not the letter O"],
    [
      "ID: {24boaa3l}",
      "of digits and the letters A to F: the digit 0, not the letter o; the digit 1, not the letter l",
    ],
    [whole.replaceAll("0", "O"), "of digits and the letters A to F: the digit 0, not the letter O"],
    ["24BOAA3", "value"],
    ["24BOAA3Z", "value"],
  ])("%s: letters that look like digits are named", (typed, problem) => {
    expect(keyIdOrPrefix.decode(typed)).toEqual({ problem });
  });
});

describe("a moment", () => {
  const now = new Date("2026-11-22T12:00:00.000Z");
  const moment = (typed: string): string | undefined => {
    const decoded = since.decode(typed);
    return "problem" in decoded ? undefined : momentOf(decoded.value, now)?.toISOString();
  };
  test.each([
    ["2026-11-20", "2026-11-20T00:00:00.000Z"],
    ["2026-11-20T09:30", "2026-11-20T09:30:00.000Z"],
    ["2026-11-20 09:30:15", "2026-11-20T09:30:15.000Z"],
    ["2026-11-20t09:30:15.1234567z", "2026-11-20T09:30:15.000Z"],
    ["2026-11-20T09:30:00+02:00", "2026-11-20T07:30:00.000Z"],
    ["2024-02-29", "2024-02-29T00:00:00.000Z"],
    ["30m", "2026-11-22T11:30:00.000Z"],
    ["12H", "2026-11-22T00:00:00.000Z"],
    ["7d", "2026-11-15T12:00:00.000Z"],
    ["4w", "2026-10-25T12:00:00.000Z"],
  ])("%s is %s", (typed, at) => {
    expect(moment(typed)).toBe(at);
  });

  test.each([
    "",
    "0d",
    "-7d",
    "7",
    "7y",
    "100000d",
    "yesterday",
    "22.11.2026",
    "11/22/2026",
    "2026-02-29",
    "2026-13-01",
    "2026-04-31",
    "2026-11-20T25:00",
    "2026-11-20T09:30+99:00",
    "2026-11-20T",
  ])("%j is none", (typed) => {
    expect(moment(typed)).toBeUndefined();
  });
});

describe("a computer's name", () => {
  test.each(["PC-0001", "pc_1", "host.example.org", "BÜRO-PC", "Ноутбук-1", "_x", "a".repeat(255)])("%s", (typed) => {
    expect(textOf(computerName, typed)).toBe(typed);
  });

  test.each(["", "*", "PC-*", "a b", "-pc", "a/b", "a%b", "PC\u0301'", "ＰＣ-0001", "ﬁle", "a".repeat(256), "pc\n"])(
    "%j is none",
    (typed) => {
      expect(textOf(computerName, typed)).toBeUndefined();
    },
  );
});

describe("the other kinds", () => {
  test("a closed set takes its own spelling, and no beginning of a word", () => {
    const kind = oneOf(["Pkcs8", "Pfx"]);
    expect([textOf(kind, "PFX"), textOf(kind, "pf"), textOf(kind, "")]).toEqual(["Pfx", undefined, undefined]);
  });

  test("a whole number has its bounds", () => {
    const kind = integer(1, 1000);
    const typed = ["1", "01000", "0", "1001", "-1", "1.0", "1e2", " 1", "٣", "9".repeat(40)];
    expect(typed.map((one) => textOf(kind, one))).toEqual(["1", "1000", ...Array.from({ length: 8 })]);
  });

  test("free text is kept, cut of blanks at its ends, masked, and has its length", () => {
    const kind = freeText({ placeholder: "", expects: "", longest: 256, suggestions: ["Lost PIN"] });
    expect(textOf(kind, " lost pin ")).toBe("Lost PIN");
    expect(textOf(kind, "caller 4711: “Müller”")).toBe("caller 4711: “Müller”");
    expect(textOf(kind, "x".repeat(256))).toHaveLength(256);
    expect([textOf(kind, "x".repeat(257)), textOf(kind, "  "), textOf(kind, "a\nb")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
