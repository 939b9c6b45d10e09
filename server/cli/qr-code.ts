import { encodeQR } from "qr";

/** Two modules of light around it; the standard asks for four, readers are content with two, and a terminal has 24 rows. */
const border = 2;

/** White on black by number: a reader wants dark modules on light, whatever colours the terminal has. */
const colours = { on: "\u001b[97;40m", off: "\u001b[0m" } as const;

/** A QR code in half blocks, two modules a character. */
export const drawQrCode = (text: string): { readonly lines: readonly string[]; readonly columns: number } => {
  const drawn = encodeQR(text, "ascii", { ecc: "low", border }).trimEnd().split("\n");
  return {
    lines: drawn.map((line) => `${colours.on}${line}${colours.off}`),
    columns: Math.max(...drawn.map((line) => line.length)),
  };
};
