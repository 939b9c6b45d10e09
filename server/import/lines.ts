import { BrokenFile } from "./reading.ts";

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its line end. */
  readonly text: string;
}

/** No form that is read by lines has longer ones; a recovery package is 9,400 characters of base64. */
const longestLine = 1024 * 1024;

/** Pieces of text → the lines that each piece completes. Arrays, because one promise a line would cost more than the line. */
export async function* readLines(pieces: AsyncIterable<string>): AsyncGenerator<readonly Line[]> {
  let pending = "";
  let number = 0;
  for await (const piece of pieces) {
    const texts = (pending + piece).split("\n");
    pending = texts.pop() ?? "";
    if (pending.length > longestLine) {
      throw new BrokenFile(number + texts.length + 1, `this line is longer than ${longestLine} characters.`);
    }
    yield texts.map((text) => ({ number: (number += 1), text }));
  }
  if (pending !== "") yield [{ number: number + 1, text: pending }];
}
