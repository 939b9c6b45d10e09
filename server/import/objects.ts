import type { VolumeType } from "../command/site-database.ts";
import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { roleOfName } from "./column-names.ts";
import { decodeComputerName, decodeWrittenGuid, guidFromBytes } from "./fields.ts";
import { createGraphKeys, isGraphKey } from "./graph-keys.ts";
import { propertiesOf, propertyIn, type FoundObject, type Properties } from "./found-object.ts";
import { cellText, findLayout, holdsPasswords, isAbsent, type GivenColumns, type Layout } from "./layout.ts";
import { otherNameIn } from "./other-names.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { rowReader, type Surroundings } from "./rows.ts";

const scalar = (value: unknown): string =>
  ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";

const isByte = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;

/** A property as a cell: lists of texts one a line, and the numbers that PowerShell makes of bytes. 16 of them are a GUID. */
const asCell = (value: unknown): string => {
  if (!Array.isArray(value)) return scalar(value);
  const items: readonly unknown[] = value;
  if (items.some((item) => propertiesOf(item) !== undefined)) return "";
  if (items.length === 16 && items.every(isByte)) return guidFromBytes(Uint8Array.from(items)) ?? "";
  if (items.length > 16 && items.every(isByte)) return `X'${Buffer.from(items).toString("hex")}'`;
  return items.map(scalar).join("\n");
};

interface Row {
  readonly layout: Layout;
  readonly cells: readonly string[];
}

const rowOf = (properties: Properties, given: GivenColumns): Row => {
  const cells = [...properties.values()].map(asCell);
  const samples = cells.some((cell) => cell.includes("\n")) ? [] : [cells];
  return { layout: findLayout([...properties.keys()], samples, given), cells };
};

const cellIn = ({ layout, cells }: Row, role: Parameters<Layout["columns"]["get"]>[0]): string | undefined =>
  layout.columns
    .get(role)
    ?.map((index) => cellText(cells[index] ?? ""))
    .find((cell) => !isAbsent(cell));

/** Whether an object is a key, a protector, or a report's row: it has one of a password, an id with a kind, or both columns. */
const isRow = (row: Row): boolean => {
  const { columns } = row.layout;
  if (columns.has("protectorType") && columns.has("keyId")) return true;
  if (!holdsPasswords(row.layout)) return false;
  return columns.has("keyId") || /\d{6}/.test(cellIn(row, "password") ?? "");
};

/** `Get-BitLockerVolume`: 0 is its operating system volume, and `Data` (1) is either of the other two kinds. */
const volumeTypeOf = (row: Row): VolumeType | undefined => {
  const type = cellIn(row, "volumeType")?.toLowerCase();
  if (type === undefined) return undefined;
  return type === "0" || type === "operatingsystem" ? "OperatingSystem" : "Unknown";
};

/** What an object says of the objects in it. */
/** `{"PC-0001": […], "PC-0002": […]}`: a list by computers. Words alone (`Drives`, `Keys`) say what is in it. */
const computerInKey = (name: string): string | undefined =>
  /[\d-]/.test(name) && roleOfName(name) === undefined && decodeWrittenGuid(name) === undefined
    ? decodeComputerName(name)
    : undefined;

const inside = (row: Row, around: Surroundings, given: string | undefined): Surroundings => {
  const isVolume = row.layout.columns.has("protectors");
  const { table } = around;
  return {
    ...(table !== undefined && { table }),
    computerName: cellIn(row, "computer") ?? around.computerName ?? otherNameIn(row.cells.join("\n"), given),
    volumeType: isVolume ? volumeTypeOf(row) : around.volumeType,
    isOneComputer: isVolume || row.layout.isOneComputer || around.isOneComputer === true,
  };
};

/**
 * Reads objects by what they hold, at any depth: PowerShell's volumes and protectors, Graph's keys, pages and batches,
 * rows under a CSV's names, and what remote management tools make of them. An object within names the computer of what
 * stands in it.
 */
export async function* readObjects(
  batches: AsyncIterable<readonly FoundObject[]>,
  reading: Reading,
  given: GivenColumns,
): AsyncGenerator<RecoveryRecord> {
  const graph = createGraphKeys(reading);
  const readRow = rowReader(reading);

  /** @returns undefined when the object is none of what is known */
  const readObject = (
    begins: number,
    properties: Properties,
    around: Surroundings,
    isNested: boolean,
  ): readonly RecoveryRecord[] | undefined => {
    const row = rowOf(properties, given);
    // An object within may stand far below the beginning of the one that is read.
    const line = isNested ? (reading.lineOf(row.cells.join("\n")) ?? begins) : begins;
    if (isGraphKey(properties)) return graph.read({ line, properties }, row, around);
    const error = propertyIn(properties, "error");
    if (error !== undefined && error !== null && !isRow(row)) {
      reading.refuse(line, "this is an error answer of Microsoft Graph, not a key.");
      return [];
    }
    const own = isRow(row) ? readRow(row.layout, row.cells, line, around) : undefined;
    const within = inside(row, around, reading.computerName);
    const cutOff = row.layout.columns.get("protectors")?.some((index) => row.cells[index] !== "");
    if (cutOff === true) {
      reading.refuse(line, "this volume's protectors were cut off by ConvertTo-Json; use its option -Depth 4.");
      return own ?? [];
    }
    const nested = [...properties].flatMap(([name, value]) => {
      const computerName = within.computerName ?? computerInKey(name);
      return (Array.isArray(value) ? value : [value])
        .flatMap((item) => propertiesOf(item) ?? [])
        .map((object) => readObject(begins, object, { ...within, computerName }, true));
    });
    if (own === undefined && nested.every((records) => records === undefined)) return undefined;
    return [own ?? [], ...nested.map((records) => records ?? [])].flat();
  };

  const readTop = (
    { line, properties, around, isRead, table }: FoundObject,
    namedBefore: boolean,
  ): readonly RecoveryRecord[] => {
    if (isRead === true) {
      if (!namedBefore && cellIn(rowOf(properties, given), "computer") !== undefined) {
        throw new BrokenFile(line, "this object names its computer only after the list of its keys.");
      }
      return [];
    }
    const within = around === undefined ? {} : inside(rowOf(around, given), {}, reading.computerName);
    const records = readObject(line, properties, table === undefined ? within : { ...within, table }, false);
    if (records === undefined) {
      reading.refuse(
        line,
        "this object is neither a key protector of PowerShell nor a recovery key of Microsoft Graph, and has no recovery " +
          `password with its key id.`,
      );
    }
    return records ?? [];
  };

  let namedBefore = false;
  for await (const objects of batches) {
    for (const object of objects) {
      if (object.around !== undefined) namedBefore = cellIn(rowOf(object.around, given), "computer") !== undefined;
      yield* readTop(object, namedBefore);
    }
  }
  graph.finish();
}
