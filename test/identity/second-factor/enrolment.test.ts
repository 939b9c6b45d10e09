import { decodeQR } from "qr/decode.js";
import { expect, test } from "vitest";
import { drawQrCode } from "../../../server/cli/qr-code.ts";
import { uriOf } from "../../../server/identity/second-factor/totp.ts";

/** What a camera sees of a terminal: eight pixels a module, two modules a character, white where the block is painted. */
const photograph = (lines: readonly string[]): { width: number; height: number; data: Uint8Array } => {
  const pixels = 8;
  const rows = lines.flatMap((line) => {
    const cells = line.split("");
    return ["█▀", "█▄"].map((painted) => cells.map((cell) => painted.includes(cell)));
  });
  const width = (rows[0]?.length ?? 0) * pixels;
  const height = rows.length * pixels;
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isLight = rows[Math.floor(y / pixels)]?.[Math.floor(x / pixels)] === true;
      data.fill(isLight ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return { width, height, data };
};

/** The lines without their colours. */
const plain = (lines: readonly string[]): string[] =>
  lines.map((line) => line.split("m").at(1)?.split("\u001b")[0] ?? "");

test("the blocks on the screen are a QR code of the address, in colours of its own", () => {
  const uri = uriOf(Buffer.from("12345678901234567890"), "pep", "certadmin");
  const { lines } = drawQrCode(uri);
  expect(lines.every((line) => line.startsWith("\u001b[97;40m") && line.endsWith("\u001b[0m"))).toBe(true);
  const last = lines.length - 1;
  // The last line has only upper halves: below is the terminal's own background.
  expect(plain(lines)[last]).toMatch(/^[▀ ]+$/);
  expect(decodeQR(photograph(plain(lines)))).toBe(uri);
});

test("with usual names it fits into 24 rows, with the words around it", () => {
  for (const [issuer, user] of [
    ["pep", "certadmin"],
    ["pep", "a.name@example"],
    ["endpoint", "firstname.lastname"],
  ] as const) {
    const { lines, columns } = drawQrCode(uriOf(Buffer.alloc(20), issuer, user));
    expect(lines.length + 3).toBeLessThanOrEqual(24);
    expect(columns).toBeLessThanOrEqual(80);
  }
});

test("with the longest names there are it is still a QR code, of at most 80 columns", () => {
  const uri = uriOf(Buffer.alloc(20, 7), "e".repeat(64), "u".repeat(64));
  const { lines, columns } = drawQrCode(uri);
  expect(columns).toBeLessThanOrEqual(80);
  expect(decodeQR(photograph(plain(lines)))).toBe(uri);
});
