import { plainText } from "./fields.ts";
import { readLines, type Line } from "./lines.ts";

/** `> ` before each line of a quoted mail (RFC 3676 §4.5). */
const quoted = /^(?:[ \t]*>)+[ \t]?/;
/** A recovery password that the line's end cuts: whole groups, then the beginning of one. */
const cutPassword = /(?<![\d-])(?:\d{6}-){1,7}\d{0,6}$/;
const continuation = /^-?\d[\d-]*/;
const mostJoined = 4;

/** No console, mail or ticket has longer lines with a key in them; the patterns that read them are not made for more. */
const longestLine = 1000;

/**
 * Lines as a keyboard would have written them, without a mail's quoting, and with each recovery password on one line that
 * a narrow console had broken. Longer lines come as empty ones: they are other text, and the account has their keys.
 */
export async function* readTextLines(pieces: AsyncIterable<string>): AsyncGenerator<readonly Line[]> {
  let held: Line | undefined;
  let joined = 0;
  for await (const batch of readLines(pieces)) {
    const lines: Line[] = [];
    for (const { number, text } of batch) {
      const plain = text.length > longestLine ? "" : plainText(text).replace(quoted, "").trimEnd();
      if (held !== undefined && joined < mostJoined && continuation.test(plain.trimStart())) {
        held = { number: held.number, text: held.text + plain.trimStart() };
        joined += 1;
      } else {
        if (held !== undefined) lines.push(held);
        held = { number, text: plain };
        joined = 0;
      }
      if (cutPassword.test(held.text)) continue;
      lines.push(held);
      held = undefined;
    }
    yield lines;
  }
  if (held !== undefined) yield [held];
}
