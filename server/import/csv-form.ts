import { columnsByName, isWeakName } from "./column-names.ts";
import { decodeWrittenGuid } from "./fields.ts";
import { cellText, findLayout, holdsPasswords, type GivenColumns, type Layout } from "./layout.ts";
import { recoveryPasswordsIn } from "./password-account.ts";
import { BrokenFile } from "./reading.ts";

const delimiters = [",", ";", "\t", "|"] as const;

export interface CsvForm {
  readonly delimiter: string;
  /** Line of the header, from 1. */
  readonly headerLine: number;
  /** Rows below the header, by which columns without a known name are told. */
  readonly samples: readonly (readonly string[])[];
}

/** `#TYPE …` of Windows PowerShell's Export-Csv, `sep=;` of Excel, blank lines. */
const preamble = /^(#TYPE\b.*|sep=.?|\s*)$/i;
/** Titles, dates and notes of a report stand above its header. */
const mostLinesAbove = 30;
const mostSamples = 200;

/** Cells of one line; a cell with a line end in it is left to the real parser. */
const splitCells = (line: string, delimiter: string): readonly string[] => {
  if (!line.includes('"')) return line.split(delimiter);
  const cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  for (const character of line) {
    if (character === '"' && (isQuoted || cell === "" || cell.endsWith('"'))) {
      isQuoted = !isQuoted;
      cell += character;
    } else if (character === delimiter && !isQuoted) {
      cells.push(cell);
      cell = "";
    } else cell += character;
  }
  return [...cells, cell].map((text) =>
    text
      .trim()
      .replace(/^"(.*)"$/s, "$1")
      .replaceAll('""', '"'),
  );
};

const holdsKey = (cell: string): boolean => recoveryPasswordsIn(cellText(cell)).length > 0;
const holdsGuid = (cell: string): boolean => decodeWrittenGuid(cellText(cell)) !== undefined;

/** How sure a line is a header under a delimiter; 0: not at all. */
const headerRank = (cells: readonly string[], given: GivenColumns): number => {
  const layout = findLayout(cells, [], given);
  if (cells.length < 2 || layout.columns.size < 2 || cells.some(holdsKey)) return 0;
  return holdsPasswords(layout) ? layout.columns.size : 0;
};

/** A header whose names nobody listed is known by the rows below it. */
const findByContent = (
  lines: readonly string[],
  given: GivenColumns,
): { readonly delimiter: string; readonly index: number; readonly samples: CsvForm["samples"] } | undefined => {
  for (const delimiter of delimiters) {
    const rows = lines.slice(0, mostSamples).map((line) => splitCells(line, delimiter));
    for (const [index, header] of rows.slice(0, mostLinesAbove).entries()) {
      if (header.length < 2 || header.some((cell) => holdsKey(cell) || holdsGuid(cell))) continue;
      const samples = rows.slice(index + 1).filter((row) => row.length >= header.length - 1 && row.length > 1);
      if (samples.length === 0) continue;
      const layout = findLayout(header, samples, given);
      if (holdsPasswords(layout) && layout.columns.has("keyId")) return { delimiter, index, samples };
    }
  }
  return undefined;
};

const isHeaderless = (lines: readonly string[]): boolean => {
  const first = lines.find((line) => !preamble.test(line)) ?? "";
  return delimiters.some((delimiter) => {
    const cells = splitCells(first, delimiter);
    return cells.some(holdsKey) && cells.some(holdsGuid);
  });
};

/** `Export-Csv` of whole volumes writes the name of a type where the list of protectors should be. */
const refuseLostProtectors = (lines: readonly string[]): void => {
  for (const [index, line] of lines.slice(0, mostLinesAbove).entries()) {
    const columns = columnsByName(splitCells(line, ","));
    if (!columns.has("protectors") || !columns.has("computer")) continue;
    throw new BrokenFile(
      index + 1,
      "the column KeyProtector holds no protectors: a list is lost in CSV. Use Get-BitLockerVolume | ConvertTo-Json -Depth 4.",
    );
  }
};

/**
 * Finds the header row and the delimiter: by the names in it, else by the rows below.
 *
 * @param head the beginning of the text
 * @returns undefined for no CSV of keys
 * @throws BrokenFile for a table without a header, and for one that has lost its keys
 */
export const findCsvForm = (head: string, given: GivenColumns): CsvForm | undefined => {
  const lines = head.split("\n");
  const hint = lines.map((line) => /^sep=(.)$/i.exec(line)?.[1]).find((found) => found !== undefined);
  const candidates = lines.slice(0, mostLinesAbove).flatMap((line, index) =>
    preamble.test(line)
      ? []
      : (hint === undefined ? delimiters : [hint]).map((delimiter) => ({
          delimiter,
          index,
          rank: headerRank(splitCells(line, delimiter), given),
        })),
  );
  const first = candidates.find(({ rank }) => rank > 0)?.index;
  if (first !== undefined) {
    const best = candidates
      .filter(({ index }) => index === first)
      .reduce((left, right) => (right.rank > left.rank ? right : left));
    const samples = lines.slice(first + 1, first + mostSamples).map((line) => splitCells(line, best.delimiter));
    return { delimiter: best.delimiter, headerLine: first + 1, samples };
  }
  const found = findByContent(lines, given);
  if (found !== undefined) return { ...found, headerLine: found.index + 1 };
  refuseLostProtectors(lines);
  if (isHeaderless(lines)) {
    throw new BrokenFile(
      undefined,
      "this is none of the forms that can be imported: a table needs a header row. Write one above it: " +
        "ComputerName,PasswordID,RecoveryPassword",
    );
  }
  return undefined;
};

/** Header rows come again in files that were joined, of the same columns or of others. */
export const isHeaderAgain = (cells: readonly string[]): boolean => {
  const columns = columnsByName(cells);
  const sure = (columns.get("password") ?? []).some((index) => !isWeakName(cells[index] ?? ""));
  const identifies = ["keyId", "objectName", "distinguishedName"] as const;
  return (
    sure && identifies.some((role) => columns.has(role)) && !cells.some((cell) => holdsKey(cell) || holdsGuid(cell))
  );
};

/** Cells that are needed to tell a key: a row that has them is whole, whatever Excel left out behind them. */
export const neededCells = ({ columns, groupsAt }: Layout): number => {
  const first = (...roles: readonly Parameters<Layout["columns"]["get"]>[0][]): number =>
    roles.map((role) => columns.get(role)?.[0]).find((index) => index !== undefined) ?? -1;
  const password = groupsAt === undefined ? first("password") : groupsAt + 7;
  return 1 + Math.max(password, first("keyId"), first("computer", "objectName", "distinguishedName"));
};

/** `----;----` of sqlcmd below the header. */
export const isRuler = (cells: readonly string[]): boolean => cells.every((cell) => /^-{2,}$/.test(cell.trim()));
