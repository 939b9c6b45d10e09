/*
 * ATTACK: somebody writes a recovery key so that no rule for one spelling fits: numbered from 101 on, a time or a room between the
 *         groups, out of a spreadsheet that dropped leading zeros or added decimals, with signs that Unicode takes for no digit, as text
 *         recognition reads it. Or in pieces: a letter before each group in a list of computers or columns, a part in each parameter.
 * DANGER: the record keeps the key.
 * EXPECT: refused, and not one group is kept. What honest people write in these ways is taken.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { holdsKey, namesHoldKey } from "../../server/model/key-shaped-text.ts";
import { startSharedEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { key } from "../model/key-in-writings.ts";

const groups = key.split("-");
const pairs = groups.map((group) => group.match(/../g)?.join(" ") ?? "");
const numbered = (texts: readonly string[], label: (at: number) => string): string =>
  texts.map((text, at) => `${label(at + 1)}${text}`).join(" ");
const inSigns = (zero: string, one: number): string =>
  key.replace(/\d/g, (digit) => (digit === "0" ? zero : String.fromCodePoint(one + Number(digit) - 1)));

const spellings: Readonly<Record<string, string>> = {
  "numbered from 101": numbered(groups, (at) => `${100 + at}: `),
  "with steps of four digits": numbered(groups, (at) => `Step ${1000 + at} `),
  "with a telephone number between": groups.join(" call 5551234 "),
  "with a time before each": numbered(groups, (at) => `2026-11-29T06:0${at} `),
  "with a room behind each": groups.map((group, at) => `${group} (room ${300 + at})`).join(" "),
  "with its checks": groups.map((group) => `${group}(${Number(group) / 11})`).join(" "),
  "without leading zeros": ["013365", "024112", ...groups].map((group) => String(Number(group))).join(";"),
  "with decimals": groups.map((group) => `${group},0000`).join(" "),
  "in negative circles": inSigns("⓿", 0x2776),
  "in double circles": inSigns("⓪", 0x24f5),
  "in circles without serifs": inSigns("🄋", 0x2780),
  "in Hangzhou numerals": inSigns("〇", 0x3021),
  "in Han numerals": key.replace(/\d/g, (digit) => "〇一二三四五六七八九"[Number(digit)] ?? ""),
  "with O and l": key.replaceAll("0", "O").replaceAll("1", "l"),
  "with o and I": key.replaceAll("0", "o").replaceAll("1", "I"),
  "pairs behind #1": numbered(pairs, (at) => `#${at} `),
  "pairs behind Group 1": numbered(pairs, (at) => `Group ${at} `),
  "pairs behind 1st": numbered(pairs, (at) => `${at}${["st", "nd", "rd"][at - 1] ?? "th"} `),
  "digits behind 1=": numbered(groups, (at) => `${at}= `).replace(/(\d)(?=\d)/g, "$1 "),
  "pairs in lines with 1 -": pairs.map((text, at) => `${at + 1} - ${text}`).join("\n"),
};

let endpoint: Endpoint;
beforeAll(async () => {
  endpoint = await startSharedEndpoint();
  return endpoint.end;
});

const recorded = (): string => {
  const folder = join(endpoint.dataDirectory, "audit", "log");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ndjson"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
};
/** Of a key in pieces, and one in signs. */
const pieces = [...groups, pairs[0] ?? "", "❷❸❺", "⓶⓷⓹", "➁➂➄", "〢〣〥", "二三五"];
const keptOfKey = (): readonly string[] => {
  const record = recorded();
  return pieces.filter((piece) => record.includes(piece));
};

test.each(Object.entries(spellings))("a key %s is found", (_, text) => {
  expect(holdsKey(text)).toBe(true);
});

test("no spelling of it is a reason", async () => {
  for (const [name, text] of Object.entries(spellings)) {
    const { status } = await endpoint.ssh(
      "support",
      `Get-RecoveryKeys DEMO-PC-01 -Reason '${text.replaceAll("\n", " ; ")}'`,
    );
    expect([name, status]).toEqual([name, 2]);
  }
  expect(keptOfKey()).toEqual([]);
}, 120_000);

test.each([
  ["a list of computers", `Get-RecoveryKeys -ComputerName ${groups.map((group) => `k${group}`).join(",")}`],
  [
    "three parameters",
    `Get-RecoveryKeys -ComputerName k${groups.slice(0, 3).join("-")},x${groups.slice(3, 5).join("-")} -Reason '${groups.slice(5).join("-")}'`,
  ],
  ["a list of columns", `Get-Command | Select-Object ${groups.map((group) => `a${group}`).join(",")}`],
])("nor does it pass in pieces as %s", async (_, line) => {
  expect((await endpoint.ssh("support", line)).status).toBe(2);
  expect(keptOfKey()).toEqual([]);
});

test("honest lists of computers, times and rooms are no key", () => {
  const asset = (at: number): string => String(230_001 + at * 3_701);
  expect(namesHoldKey(Array.from({ length: 200 }, (_, at) => `PC-${asset(at)}`))).toBe(false);
  expect(holdsKey("Ticket 235818 at 2026-11-29 06:20, room 301, call 5551234, asset 357951")).toBe(false);
  expect(holdsKey("三月十五日 235818 第二次")).toBe(false);
});
