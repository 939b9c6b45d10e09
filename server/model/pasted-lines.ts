/** Arrow keys, function keys and the marks around a paste: their characters are not text. */
const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|O.)/g;
const printable = /[^\u0000-\u001f\u007f]/;

/**
 * Whether what a terminal sent at once was pasted, for terminals that don't say so (ESC [ 200 ~): a person presses Enter last, a paste goes
 * on behind a line's end. A single line with its end is taken for typed: a slow connection, or a program, sends one so.
 *
 * @param linesWait pasted lines wait already: then text with a line's end is more of them
 */
export const holdsPastedLines = (chunk: string, linesWait: boolean): boolean => {
  const text = chunk.replace(sequences, "");
  const end = text.search(/[\r\n]/);
  return end >= 0 && printable.test(linesWait ? text : text.slice(end));
};
