import { isGroupValue } from "../../server/model/recovery-password.ts";
import { createRandom } from "../import/recovery-data.ts";

/** Whole numbers from a seed: a failure can be run again. */
export const numbersFrom = (seed: number): Below => {
  const random = createRandom(seed);
  return (below) => Math.floor(random() * below);
};

export type Below = (below: number) => number;

const pick = <T>(below: Below, from: readonly T[]): T => {
  const found = from[below(from.length)];
  if (found === undefined) throw new Error("nothing to pick from");
  return found;
};

const group = (below: Below): string => String(below(65_536) * 11).padStart(6, "0");

/** A group as it is misread: no longer divisible by 11. */
const misread = (digits: string, below: Below): string => {
  const at = below(6);
  const wrong = digits.slice(0, at) + String((Number(digits[at]) + 1) % 10) + digits.slice(at + 1);
  return isGroupValue(Number(wrong)) ? misread(digits, below) : wrong;
};

/** Zeros of decimal digits: ASCII, full-width, Arabic-Indic, Persian, Devanagari, Bengali, Thai, Khmer, bold, Adlam. */
const zeros = [0x30, 0xff10, 0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0x17e0, 0x1d7ce, 0x1e950];
/** A text with other digits: those of a script by its zero. */
export const inScript = (text: string, zero: number): string =>
  text.replace(/[0-9]/g, (digit) => String.fromCodePoint(zero + Number(digit)));

const separators = [
  "-",
  " ",
  "",
  ".",
  ",",
  "/",
  "_",
  ":",
  ";",
  "\t",
  " - ",
  "–",
  "\u00a0",
  "\u200b",
  " | ",
  "·",
  "…",
  "、",
];
const words = [
  "and",
  "then",
  "group",
  "dann",
  "et puis",
  "следующая",
  "次は",
  "next one is",
  "-- new line --",
  "Ziffern",
];
const surroundings = ["", "key ", "Reason: he read out ", "der Schlüssel lautet ", "復旧キー", "INC00 ", "\u{1f511} "];

/** One of the ways in which people write a recovery password, or half of one. */
export const keyInWriting = (below: Below): string => {
  const count = 4 + below(5);
  const groups = Array.from({ length: count }, () => group(below));
  const script = pick(below, zeros);
  const written = ((): string => {
    const by = pick(below, separators);
    const word = pick(below, words);
    switch (below(11)) {
      case 0:
        return groups.join(by);
      case 1: // threes
        return groups.map((digits) => `${digits.slice(0, 3)}${by}${digits.slice(3)}`).join(by);
      case 2: // pairs
        return groups.map((digits) => digits.match(/../g)?.join(by)).join(by);
      case 3: // single digits
        return groups
          .join("")
          .split("")
          .join(by === "" ? " " : by);
      case 4: // words between whole groups, with or without blanks
        return groups.join(pick(below, [`, ${word} `, ` ${word}: `, word]));
      case 5: // numbered
        return groups
          .map((digits, index) => `${index + 1}${pick(below, [". ", ") ", ": ", "/8 "])}${digits}`)
          .join(" ");
      case 9: // numbered pairs
        return groups
          .map((digits, index) => `${index + 1}${pick(below, [". ", ") ", ": "])}${digits.match(/../g)?.join(" ")}`)
          .join(", ");
      case 10: // numbered by signs that are numbers themselves
        return groups
          .map((digits, index) => `${String.fromCodePoint(0x2460 + index)}${pick(below, ["", " "])}${digits}`)
          .join(pick(below, ["", " ", ", "]));
      case 6: // numbered threes
        return groups.map((digits, index) => `${index + 1}) ${digits.slice(0, 3)} ${digits.slice(3)}`).join(", ");
      case 7: // one after the other with labels
        return groups.map((digits, index) => `Block${index + 1}=${digits}`).join(pick(below, ["; ", " ", " & "]));
      default: {
        // Whole, with up to two groups misread.
        const all = [...groups, ...Array.from({ length: 8 - count }, () => group(below))];
        const wrong = [below(8), below(8)];
        return all.map((digits, at) => (wrong.includes(at) ? misread(digits, below) : digits)).join("-");
      }
    }
  })();
  return `${pick(below, surroundings)}${inScript(written, script)}${pick(below, ["", " thanks", ".", " (verified 3 times)"])}`;
};

const hex = (below: Below, length: number): string =>
  Array.from({ length }, () => below(16).toString(16))
    .join("")
    .toUpperCase();
export const guid = (below: Below): string => [8, 4, 4, 4, 12].map((length) => hex(below, length)).join("-");
const digits = (below: Below, length: number): string => Array.from({ length }, () => String(below(10))).join("");
const two = (number: number): string => String(number).padStart(2, "0");
const date = (below: Below): string => `20${two(15 + below(15))}-${two(1 + below(12))}-${two(1 + below(28))}`;
const time = (below: Below): string => `${two(below(24))}:${two(below(60))}:${two(below(60))}`;

/** What honest people and machines write where a key must not stand. */
export const honestTexts: Readonly<Record<string, (below: Below) => string>> = {
  "serial number": (below) =>
    pick(below, [
      `5CG${digits(below, 7)}`,
      `PF${hex(below, 6)}`,
      digits(below, 12),
      `R9-0${hex(below, 5)}-${digits(below, 2)}/${digits(below, 2)}`,
    ]),
  "date and time": (below) =>
    pick(below, [
      `${date(below)}T${time(below)}.${digits(below, 3)}Z`,
      `from ${date(below)} ${time(below)} to ${date(below)} ${time(below)}`,
    ]),
  "telephone numbers": (below) =>
    Array.from({ length: 1 + below(3) }, () =>
      pick(below, [
        `+49 ${digits(below, 3)} ${digits(below, 7)}`,
        `(${digits(below, 3)}) ${digits(below, 3)}-${digits(below, 4)}`,
        `+1-${digits(below, 3)}-${digits(below, 3)}-${digits(below, 4)}`,
      ]),
    ).join(", "),
  "ticket numbers": (below) =>
    `Tickets ${Array.from({ length: 1 + below(6) }, () => pick(below, [`INC${digits(below, 7)}`, `#${digits(below, 6)}`, `REQ-${digits(below, 6)}`, digits(below, 8)])).join(", ")}`,
  "tickets of six digits": (below) => Array.from({ length: 3 + below(6) }, () => digits(below, 6)).join(", "),
  "reason of a help desk": (below) =>
    `INC${digits(below, 7)}, user called ${date(below)} ${time(below)} from +49 ${digits(below, 3)} ${digits(below, 7)}, asset ${digits(below, 6)}, serial 5CG${digits(below, 7)}`,
  "command line": (below) =>
    `Get-RecoveryKeys -ComputerName LAP-${digits(below, 6)},LAP-${digits(below, 6)} -Since ${date(below)} -Reason "INC${digits(below, 7)}, call of ${time(below)}"`,
  GUID: guid,
  "30 GUIDs": (below) => Array.from({ length: 30 }, () => guid(below)).join(","),
  "200 GUIDs": (below) => Array.from({ length: 200 }, () => guid(below)).join(","),
  "200 computer names": (below) => Array.from({ length: 200 }, () => `LAP-${digits(below, 6)}`).join(","),
  "400 characters of base64": (below) =>
    Array.from(
      { length: 400 },
      () => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[below(64)],
    ).join(""),
  "SHA-256": (below) => hex(below, 64).toLowerCase(),
};
