import { Tokenizer, TokenParser, TokenType } from "@streamparser/json";
import { propertiesOf, type FoundObject } from "./found-object.ts";
import { BrokenFile } from "./reading.ts";

/** An object of one key protector is below a kilobyte; one of a volume with forty of them below thirty. */
const longestObject = 1024 * 1024;
const deepest = 32;
/** Lists of these names are read object by object, however long: Graph's pages and batches, and what others call them. */
const lists = ["value", "responses", "results", "data", "items", "hosts", "devices", "computers", "records"];

/** Tells which line a token stands on, and refuses what is too long or too deep. */
const createCollector = (): {
  readonly write: (line: number, text: string) => void;
  readonly end: () => void;
  readonly take: () => FoundObject[];
} => {
  let line = 1;
  let length = 0;
  let ended = false;
  let streamed = false;
  let found: FoundObject[] = [];
  /** Lines of the brackets that are open. */
  const opened: number[] = [];
  const tokenizer = new Tokenizer({ separator: "" });
  const parser = new TokenParser({ separator: "", paths: ["$", "$.*", ...lists.map((name) => `$.${name}.*`)] });

  // The library's errors quote the text they stumbled over: a recovery password, if bad luck will have it.
  const fail = (error: Error): never => {
    if (error instanceof BrokenFile) throw error;
    throw new BrokenFile(line, ended ? "the JSON ends in the middle: the file is cut off." : "this is not valid JSON.");
  };
  tokenizer.onError = fail;
  parser.onError = fail;

  const keep = (value: unknown, more: Pick<FoundObject, "around" | "isRead"> = {}): void => {
    const properties = propertiesOf(value);
    if (properties === undefined) throw new BrokenFile(line, "an object was expected here.");
    found.push({ line: opened.at(-1) ?? line, properties, ...more });
    length = 0;
  };

  parser.onValue = ({ value, parent, stack }) => {
    const list = stack[1];
    if (stack.length === 0) {
      if (!Array.isArray(value)) keep(value, { isRead: streamed });
      streamed = false;
      length = 0;
    } else if (Array.isArray(parent) && stack.length === 1) {
      keep(value);
      // Given away, so not kept: a list of a million objects needs the memory of one.
      parent.length = 0;
    } else if (Array.isArray(parent) && stack.length === 2 && lists.includes(String(list?.key))) {
      const around = propertiesOf(list?.value);
      if (propertiesOf(value) !== undefined) keep(value, around === undefined ? {} : { around });
      streamed = true;
      parent.length = 0;
    }
  };

  tokenizer.onToken = (token) => {
    if (token.token === TokenType.LEFT_BRACE || token.token === TokenType.LEFT_BRACKET) {
      opened.push(line);
      if (opened.length > deepest) throw new BrokenFile(line, "the JSON is nested too deeply.");
    }
    parser.write(token);
    if (token.token === TokenType.RIGHT_BRACE || token.token === TokenType.RIGHT_BRACKET) opened.pop();
  };

  return {
    write: (at, text) => {
      line = at;
      length += text.length;
      if (length > longestObject) throw new BrokenFile(line, `an object is longer than ${longestObject} characters.`);
      tokenizer.write(text);
    },
    end: () => {
      ended = true;
      tokenizer.end();
      parser.end();
    },
    take: () => {
      const objects = found;
      found = [];
      return objects;
    },
  };
};

/**
 * Streams the objects of a JSON text: the elements of a list, those of a list in an object, and the object itself; and the same again for every further value, as a script makes that appends answer after answer.
 */
export async function* readJsonObjects(pieces: AsyncIterable<string>): AsyncGenerator<readonly FoundObject[]> {
  const collector = createCollector();
  let line = 1;
  for await (const piece of pieces) {
    // Line by line, so that every token's line is known; the tokenizer itself only counts bytes.
    for (let start = 0; start < piece.length;) {
      const newline = piece.indexOf("\n", start);
      const end = newline === -1 ? piece.length : newline + 1;
      collector.write(line, piece.slice(start, end));
      if (newline !== -1) line += 1;
      start = end;
    }
    yield collector.take();
  }
  collector.end();
  yield collector.take();
}
