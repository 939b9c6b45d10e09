import { describe, expect, test } from "vitest";
import { holdsKey, valueHoldsKey, maskBegunKey, maskDigits, maskKey } from "../../server/model/key-shaped-text.ts";
import { rounds } from "../harness/share.ts";
import { guid, honestTexts, keyInWriting, numbersFrom } from "./ways-to-write.ts";

const key = "235818-357951-253979-013365-241120-245575-342914-591910";

const writings = rounds(20_000, 100_000);

test(`a key is found in each of ${writings} writings, and nothing of it is left`, () => {
  const below = numbersFrom(20261128);
  const missed: string[] = [];
  for (let count = 0; count < writings; count += 1) {
    const text = keyInWriting(below);
    if (!holdsKey(text)) missed.push(text);
    else if (count % 50 === 0) {
      const masked = maskKey(text);
      expect(masked).toHaveLength(text.length);
      expect(masked.normalize("NFKC")).not.toMatch(/\p{Nd}/u);
    }
  }
  expect(missed).toEqual([]);
}, 60_000);

// The rates stand in server/model/README.md; here is what they must stay below, over seeds that don't change.
test.each(Object.entries(honestTexts))("%s are no key", (name, make) => {
  const below = numbersFrom(7);
  const count = /^\d/.test(name) ? 300 : 10_000;
  const alarms = Array.from({ length: count }, () => make(below)).filter(holdsKey);
  expect(alarms.length / count).toBeLessThan(name === "200 computer names" ? 0.04 : 0.002);
});

const lists = rounds(400, 2_000);

test(`${lists} lists of 200 key ids are no key, nor is a list of computer names`, () => {
  const below = numbersFrom(3);
  for (let count = 0; count < lists; count += 1) {
    const ids = Array.from({ length: 200 }, () => guid(below));
    expect(count % 10 === 0 ? valueHoldsKey(ids) : holdsKey(ids.join(","))).toBe(false);
  }
  for (let count = 0; count < lists / 4; count += 1) {
    expect(valueHoldsKey(Array.from({ length: 200 }, () => `LAP-${below(900_000) + 100_000}`))).toBe(false);
  }
}, 60_000);

describe("a list", () => {
  test.each([[key.split("-")], [["PC-1", ...key.split("-"), "PC-2"]], [key.replaceAll("-", "").match(/.{4}/g) ?? []]])(
    "whose values are groups of a key holds it",
    (values) => {
      expect(valueHoldsKey(values)).toBe(true);
      expect(values.some(holdsKey)).toBe(false);
    },
  );
});

test.each([
  ["a letter before it", `bad${key.replaceAll("-", "")}`],
  ["letters that make it as long as a digest", `${"a".repeat(16)}${key.replaceAll("-", "")}`],
  [
    "signs that are digits",
    key.replace(/[1-9]/g, (digit) => String.fromCodePoint(0x245f + Number(digit))).replaceAll("0", "⓪"),
  ],
  ["a digit too many before it", `7${key.replaceAll("-", "")}`],
])("a key with %s is found", (_, text) => {
  expect(holdsKey(text)).toBe(true);
});

test.each([
  "Get-RecoveryKeys -Since 2026-03-01",
  "24B0AA32-F8D0-40BA-BB05-73A800324C09",
  "12345678-1234-1234-1234-123456789012",
  "2026-11-22T09:30:00.000Z",
  key.slice(0, 20),
  "PC-123456-1 12345678901",
  "+49 30 123456",
  "",
])("%j is left alone", (text) => {
  expect([maskKey(text), holdsKey(text)]).toEqual([text, false]);
});

test("a line being typed loses its digits once three groups stand there", () => {
  expect(maskBegunKey(`x ${key.slice(0, 13)}-2`)).toBe(`x ${key.slice(0, 13)}-2`);
  expect(maskBegunKey(`x ${key.slice(0, 20)}-0`)).toBe("x ••••••-••••••-••••••-•");
});

test("digits of every script have their value, and a mask keeps the length", () => {
  const digits = Array.from({ length: 0x20000 }, (_, code) => String.fromCodePoint(code)).filter((character) =>
    /^\p{Nd}$/u.test(character),
  );
  // UAX #44: decimal digits stand in tens, zero first.
  expect(digits.length).toBeGreaterThan(700);
  for (let at = 0; at < digits.length; at += 10) {
    const text = key.replace(/[0-9]/g, (digit) => digits[at + Number(digit)] ?? "");
    expect([digits[at], holdsKey(text)]).toEqual([digits[at], true]);
    expect(maskDigits(text)).toHaveLength(text.length);
  }
});

test.each(["1", "9", "1 ", "1a", "１", "ﷺ", "٣", "123456-"])("64 KiB of %j are answered", (piece) => {
  const text = piece.repeat(65_536 / piece.length);
  expect(maskKey(text)).toHaveLength(text.length);
});
