import { columnsByName, isWeakName, plainName, type Columns, type Role } from "./column-names.ts";
import { decodeWrittenGuid } from "./fields.ts";
import { plainText } from "../model/pasted-text.ts";
import { recoveryPasswordsIn } from "./password-account.ts";

/** What the cells of a row are, or the properties of a JSON object. */
export interface Layout {
  readonly columns: Columns;
  /** First of the eight columns that a spreadsheet made of a recovery password at its hyphens. */
  readonly groupsAt?: number;
  /** Volume types are Microsoft Graph's numbers: 1 is the operating system's. PowerShell's 1 is a data volume. */
  readonly isGraph: boolean;
  /** Ids have the name that they have in PowerShell's protectors, of which most kinds have no recovery password. */
  readonly isOfProtectors: boolean;
  /** Rows are of one computer by their nature: protectors or volumes that a computer was asked for. */
  readonly isOneComputer: boolean;
}

/** Column names by what they hold, as given with `--column`. */
export type GivenColumns = ReadonlyMap<Role, string>;

/** What reports and PowerShell write for a value that isn't there. */
const absent =
  /^(?:-+|n\/?a|null|none|nil|not (?:found|available|set)|no (?:recovery )?(?:key|password)|(?:recovery )?key not found|System\.[\w.`]+\[.*\])$/i;

/** A GUID is longer than anything that says there is none, but for the names of types. */
export const isAbsent = (cell: string): boolean =>
  cell.trim() === "" || ((cell.length < 36 || cell.startsWith("System.")) && absent.test(cell));

/** A cell's text: `="…"` and a leading apostrophe keep spreadsheets from changing it. */
export const cellText = (cell: string): string => {
  const plain = plainText(cell);
  // Lines that say nothing keep ids and passwords side by side.
  const text = plain.includes("\n") ? plain.replace(/^[ \t]+|[ \t]+$/g, "") : plain.trim();
  if (text.startsWith('="') && text.endsWith('"')) return text.slice(2, -1);
  return text.startsWith("'") ? text.slice(1) : text;
};

/** One recovery password and nothing else. */
const isPassword = (cell: string): boolean => {
  const found = recoveryPasswordsIn(cell);
  return found.length > 0 && cell.length - found.reduce((sum, { length }) => sum + length, 0) < found.length;
};

const isGuid = (cell: string): boolean => decodeWrittenGuid(cell) !== undefined;
const isGroup = (cell: string): boolean => /^\d{1,6}$/.test(cell) && Number(cell) % 11 === 0 && Number(cell) <= 720_885;

/** Columns of which every cell that says something is of one kind, and at least one does. */
const columnsThat = (
  samples: readonly (readonly string[])[],
  width: number,
  is: (cell: string) => boolean,
): readonly number[] =>
  Array.from({ length: width }, (_, index) => index).filter((index) => {
    const cells = samples.map((row) => cellText(row[index] ?? "")).filter((cell) => !isAbsent(cell));
    return cells.length > 0 && cells.every(is);
  });

/** The columns that a name says, but for weak ones (`Key`, `Id`) where what they hold says otherwise. */
const trusted = (header: readonly string[], named: readonly number[], fitting: readonly number[]): readonly number[] =>
  named.filter((index) => !isWeakName(header[index] ?? "") || fitting.length === 0 || fitting.includes(index));

const groupsIn = (samples: readonly (readonly string[])[], width: number): number | undefined => {
  const fitting = columnsThat(samples, width, isGroup);
  const at = fitting.find((first) =>
    Array.from({ length: 8 }, (_, step) => first + step).every((index) => fitting.includes(index)),
  );
  return at;
};

/**
 * Finds out what columns hold: as given, by their names, else by what stands in them.
 *
 * @param samples rows below the header; of JSON, the object's own values
 */
export const findLayout = (
  header: readonly string[],
  samples: readonly (readonly string[])[],
  given: GivenColumns = new Map(),
): Layout => {
  const columns = new Map(columnsByName(header));
  const plain = header.map(plainName);
  for (const [role, name] of given) {
    const index = plain.indexOf(plainName(name));
    if (index !== -1) columns.set(role, [index]);
  }
  const passwords = columnsThat(samples, header.length, isPassword);
  const named = trusted(header, columns.get("password") ?? [], passwords);
  const password = named.length > 0 ? named : passwords.length === 1 ? passwords : [];
  columns.set("password", password);
  const groupsAt = password.length === 0 ? groupsIn(samples, header.length) : undefined;

  const claimed = new Set([...columns].flatMap(([role, indexes]) => (role === "keyId" ? [] : indexes)));
  const guids = columnsThat(samples, header.length, isGuid).filter((index) => !claimed.has(index));
  const keyIds = trusted(header, columns.get("keyId") ?? [], guids);
  columns.set("keyId", keyIds.length > 0 ? keyIds : guids.length === 1 ? guids : []);
  for (const [role, indexes] of columns) if (indexes.length === 0) columns.delete(role);

  return {
    columns,
    ...(groupsAt !== undefined && { groupsAt }),
    isGraph: ["deviceid", "azureaddeviceid", "createddatetime"].some((name) => plain.includes(name)),
    isOfProtectors: plain.includes("keyprotectorid"),
    isOneComputer: columns.has("mountPoint") || columns.has("protectorType") || plain.includes("keyprotectorid"),
  };
};

/** Whether rows of this layout can have recovery passwords. */
export const holdsPasswords = ({ columns, groupsAt }: Layout): boolean =>
  columns.has("password") || groupsAt !== undefined;
