import type { FoundObject } from "./found-object.ts";
import { findLayout, holdsPasswords } from "./layout.ts";
import { readMarkupTokens, type MarkupToken } from "./markup-tokens.ts";
import { BrokenFile } from "./reading.ts";

interface Cell {
  text: string;
  readonly isHeading: boolean;
}

/** A table that is open; tables may stand in cells of others. */
interface Table {
  header: readonly string[] | undefined;
  /** Of a table of names and values, those since its last ruler. */
  pairs: { readonly line: number; readonly of: Map<string, string> } | undefined;
  row: { readonly line: number; readonly cells: Cell[] } | undefined;
}

const longestRow = 256 * 1024;
const deepest = 16;
const lineBreaks: ReadonlySet<string> = new Set(["br", "p", "div", "li"]);

const isHeader = (cells: readonly Cell[]): boolean => {
  if (cells.length < 2) return false;
  if (cells.every(({ isHeading }) => isHeading)) return true;
  const layout = findLayout(
    cells.map(({ text }) => text),
    [],
  );
  return holdsPasswords(layout) && layout.columns.size > 1;
};

/** Makes an object of each row below a header row, and of each run of rows with a name and a value. */
class HtmlObjects {
  readonly #tables: Table[] = [];
  #found: FoundObject[] = [];
  #current: Table | undefined;
  #keyTables = 0;

  /** Whether a table holds recovery passwords, or ids of protectors. */
  get holdsKeys(): boolean {
    return this.#keyTables > 0;
  }

  take(token: MarkupToken): void {
    const table = this.#tables.at(-1);
    if (token.kind === "text") this.#addText(token.text.replace(/\s+/g, " "), token.line);
    else if (token.tag === "table") this.#takeTable(token);
    else if (table === undefined) return;
    else if (token.tag === "tr") {
      this.#endRow(table);
      if (token.kind === "open") table.row = { line: token.line, cells: [] };
    } else if (token.tag === "hr") this.#endPairs(table);
    else if ((token.tag === "td" || token.tag === "th") && token.kind === "open")
      table.row?.cells.push({ text: "", isHeading: token.tag === "th" });
    else if (lineBreaks.has(token.tag)) this.#addText("\n", token.line);
  }

  /** @returns the objects that are whole now */
  give(): readonly FoundObject[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** The end of the file ends what is open, as browsers have it. */
  end(): readonly FoundObject[] {
    while (this.#tables.length > 0) this.#closeTable();
    return this.give();
  }

  #takeTable({ kind, line }: MarkupToken): void {
    if (kind === "open") this.#tables.push({ header: undefined, pairs: undefined, row: undefined });
    else this.#closeTable();
    if (this.#tables.length > deepest) throw new BrokenFile(line, "the tables are nested too deeply.");
  }

  #closeTable(): void {
    const table = this.#tables.at(-1);
    if (table === undefined) return;
    this.#endRow(table);
    this.#endPairs(table);
    this.#tables.pop();
  }

  #addText(text: string, line: number): void {
    const cell = this.#tables.at(-1)?.row?.cells.at(-1);
    if (cell === undefined) return;
    cell.text += text;
    if (cell.text.length > longestRow) throw new BrokenFile(line, "a cell of this table is too long.");
  }

  #endRow(table: Table): void {
    const { row } = table;
    table.row = undefined;
    if (row === undefined || row.cells.length === 0) return;
    const texts = row.cells.map(({ text }) => text.trim());
    if (isHeader(row.cells)) {
      table.header = texts;
    } else if (table.header !== undefined) {
      const { header } = table;
      if (texts.length > header.length) throw new BrokenFile(row.line, "this row has more cells than its header.");
      this.#keep(table, row.line, new Map(texts.map((text, index) => [header[index] ?? "", text])));
    } else this.#addPair(table, row.line, texts);
  }

  #addPair(table: Table, line: number, [name = "", value, ...more]: readonly string[]): void {
    if (value === undefined || more.length > 0) return this.#endPairs(table);
    const key = name.replace(/\s*:$/, "");
    if (table.pairs?.of.has(key) === true) this.#endPairs(table);
    table.pairs ??= { line, of: new Map() };
    table.pairs.of.set(key, value);
  }

  #endPairs(table: Table): void {
    if (table.pairs !== undefined) this.#keep(table, table.pairs.line, table.pairs.of);
    table.pairs = undefined;
  }

  /** A page has tables of other things, too; a recovery password in one of them is on the account all the same. */
  #keep(table: Table, line: number, properties: ReadonlyMap<string, string>): void {
    const layout = findLayout([...properties.keys()], [[...properties.values()]]);
    if (!holdsPasswords(layout) && !(layout.columns.has("keyId") && layout.columns.has("protectorType"))) return;
    if (table !== this.#current) this.#keyTables += 1;
    this.#current = table;
    this.#found.push({ line, properties, table: this.#keyTables });
  }
}

/** Streams the rows of an HTML page's tables as objects, as ConvertTo-Html and reports write them. */
export async function* readHtmlObjects(pieces: AsyncIterable<string>): AsyncGenerator<readonly FoundObject[]> {
  const objects = new HtmlObjects();
  for await (const tokens of readMarkupTokens(pieces)) {
    for (const token of tokens) objects.take(token);
    yield objects.give();
  }
  yield objects.end();
  if (!objects.holdsKeys) {
    throw new BrokenFile(
      undefined,
      "this is an HTML page without a table of keys. Open it, copy its text to a file, and import that.",
    );
  }
}
