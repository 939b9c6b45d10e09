/** What cmd.exe starts for a line: a program's arguments, and the files of its redirections. */
export interface CmdLine {
  readonly words: readonly string[];
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/**
 * A Windows program gets its line whole, and takes it apart itself by the rules of Microsoft's C runtime: double quotes keep
 * blanks and go away, a backslash escapes a double quote, and single quotes are letters like any other.
 */
const splitArguments = (line: string): readonly string[] => {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    const slashes = /^\\+(?=")/.exec(line.slice(at))?.[0].length ?? 0;
    if (slashes > 0) {
      word = (word ?? "") + "\\".repeat(Math.floor(slashes / 2)) + (slashes % 2 === 1 ? '"' : "");
      at += slashes - 1 + (slashes % 2);
    } else if (character === '"') {
      const isDoubled = isQuoted && line.charAt(at + 1) === '"';
      word = (word ?? "") + (isDoubled ? '"' : "");
      if (isDoubled) at += 1;
      else isQuoted = !isQuoted;
    } else if (!isQuoted && (character === " " || character === "\t")) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  return word === undefined ? words : [...words, word];
};

/** Outside double quotes; inside them but for variables. */
const special = /[&|^()%]/;

/** A line as cmd.exe hands it on: it knows double quotes alone, takes redirections away, and has no comments. */
export const readCmdLine = (line: string): CmdLine => {
  let rest = "";
  const files: Record<"<" | ">", string | undefined> = { "<": undefined, ">": undefined };
  for (const [part] of line.matchAll(/"[^"]*"?|([<>])\s*[^\s"<>]+|[^"<>]+|[<>]/g)) {
    const mark = part.charAt(0);
    if (mark === "<" || mark === ">") files[mark] = part.slice(1).trim();
    else if (mark === '"' ? part.includes("%") : special.test(part))
      throw new Error(`cmd.exe makes something else of this: ${part}`);
    else rest += part;
  }
  return { words: splitArguments(rest), from: files["<"], to: files[">"] };
};
