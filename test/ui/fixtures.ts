import type { UiColumn, UiCommand } from "../../ui/protocol.ts";
import type { Open } from "./ui-process.ts";

/** Glyphs as the server allots them: one private-use code point for each of the 55 characters of a key. */
export const glyphKey = (number: number): string =>
  Array.from({ length: 55 }, (_, index) => String.fromCodePoint(0xf0000 + number * 55 + index)).join("");

export const isGlyph = /[\u{f0000}-\u{ffffd}\u{100000}-\u{10fffd}]/u;

/** What the server does on the way to the terminal: key 0 reads 000000-111111-…, key 1 starts with 100000, and so on. */
export const withoutGlyphs = (text: string): string =>
  text.replace(/[\u{f0000}-\u{ffffd}\u{100000}-\u{10fffd}]/gu, (glyph) => {
    const offset = (glyph.codePointAt(0) ?? 0) - 0xf0000;
    const at = offset % 55;
    if (at % 7 === 6) return "-";
    return String(at === 0 ? Math.floor(offset / 55) % 10 : Math.floor(at / 7));
  });

export const commands: readonly UiCommand[] = [
  {
    name: "Get-RecoveryKeys",
    aliases: ["Get-AzsRecoveryKeys"],
    synopsis: "Shows recovery keys of encrypted volumes.",
    shaping: false,
    parameters: [
      { name: "ComputerName", synopsis: "Whose volumes.", kind: "list", placeholder: "<name>" },
      {
        name: "RecoveryKeyId",
        synopsis: "GUID, or its first 8 characters or more.",
        kind: "list",
        placeholder: "<GUID>",
      },
      {
        name: "VolumeType",
        synopsis: "Which volumes.",
        kind: "value",
        placeholder: "<type>",
        values: ["OperatingSystem", "FixedData", "Removable Data"],
      },
      { name: "Latest", synopsis: "The newest key of each volume.", kind: "switch", placeholder: "" },
      { name: "Reason", synopsis: "The ticket.", kind: "value", placeholder: "<text>" },
    ],
  },
  {
    name: "Get-Command",
    aliases: ["gcm"],
    synopsis: "Lists the commands you can run.",
    shaping: false,
    parameters: [],
  },
  {
    name: "Get-Help",
    aliases: ["help"],
    synopsis: "Explains a command.",
    shaping: false,
    parameters: [
      {
        name: "Name",
        synopsis: "Which command.",
        kind: "value",
        placeholder: "<command>",
        values: ["Get-RecoveryKeys", "Get-Command"],
      },
    ],
  },
  {
    name: "verify-cert",
    aliases: [],
    synopsis: "Checks the certificate.",
    shaping: false,
    parameters: [{ name: "raw", synopsis: "Prints 1 or 0.", kind: "switch", placeholder: "" }],
  },
];

export const openAt = (columns: number, rows: number, more: Partial<Open> = {}): Open => ({
  type: "open",
  columns,
  rows,
  connectedUser: "support",
  endpointName: "pep",
  welcome: "",
  commands,
  ...more,
});

export const keyColumns: readonly UiColumn[] = [
  { name: "ComputerName", width: 15, secret: false },
  { name: "RecoveryKeyId", width: 36, secret: false },
  { name: "RecoveryKey", width: 55, secret: true },
  { name: "VolumeType", width: 15, secret: false },
  { name: "LastUpdateTime", width: 20, secret: false },
];

export const keyRow = (number: number): readonly string[] => [
  `LAPTOP-${String(number).padStart(3, "0")}`,
  `0000000${number % 10}-AAAA-BBBB-CCCC-00000000000${number % 10}`,
  glyphKey(number),
  "OperatingSystem",
  "2026-03-01T08:00:00Z",
];
