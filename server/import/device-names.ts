import { CsvError } from "csv-parse";
import { parse } from "csv-parse/sync";
import { decodeGuid } from "../model/guid.ts";
import { EndpointError } from "../errors.ts";
import { plainName } from "./column-names.ts";
import { decodeText } from "./decode-text.ts";
import { decodeComputerName } from "./fields.ts";
import { readJsonObjects } from "./json-objects.ts";
import { printableFileName, readFileBytes } from "./read-recovery-file.ts";
import { BrokenFile } from "./reading.ts";

const ids = ["deviceid", "azureaddeviceid"];
const names = ["displayname", "devicename", "computername", "name"];
const largestFile = 64 * 1024 * 1024;

type Row = ReadonlyMap<string, string>;

const asRow = (header: readonly string[], cells: readonly unknown[]): Row =>
  new Map(header.flatMap((name, index) => (typeof cells[index] === "string" ? [[plainName(name), cells[index]]] : [])));

const csvRows = (text: string): readonly Row[] => {
  const first = text.split("\n", 1)[0] ?? "";
  const delimiter = [",", ";", "\t"].reduce((best, other) =>
    first.split(other).length > first.split(best).length ? other : best,
  );
  const rows: readonly string[][] = parse(text, { delimiter, relax_column_count: true, relax_quotes: true });
  const [header = [], ...others] = rows;
  return others.map((cells) => asRow(header, cells));
};

const jsonRows = async (text: string): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  const pieces = (async function* () {
    yield text;
  })();
  for await (const objects of readJsonObjects(pieces)) {
    for (const { properties } of objects) rows.push(asRow([...properties.keys()], [...properties.values()]));
  }
  return rows;
};

const readAllText = async (path: string, signal: AbortSignal): Promise<string> => {
  let text = "";
  for await (const piece of decodeText(readFileBytes(path, signal))) {
    text += piece;
    if (text.length > largestFile) throw new BrokenFile(undefined, "this list of devices is larger than 64 MiB.");
  }
  return text;
};

/**
 * Names of devices by device id, from a list of devices: Graph's `GET /devices?$select=deviceId,displayName` as JSON, or a CSV
 * with the columns DeviceId and DisplayName. Keys of the map are in lower case.
 *
 * @throws EndpointError for a file that is none, and for a device with two names
 */
export const readDeviceNames = async (path: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>();
  const fail = (message: string): EndpointError =>
    new EndpointError("InvalidArgument", `${printableFileName(path)}: ${message}`);
  try {
    const text = await readAllText(path, signal);
    const rows = /^\s*[[{]/.test(text) ? await jsonRows(text) : csvRows(text);
    for (const row of rows) {
      const id = decodeGuid(ids.map((name) => row.get(name) ?? "").find((value) => value !== "") ?? "")?.toLowerCase();
      const name = decodeComputerName(names.map((each) => row.get(each) ?? "").find((value) => value !== "") ?? "");
      if (id === undefined || name === undefined) continue;
      if ((found.get(id) ?? name) !== name) throw fail("one device has two names.");
      found.set(id, name);
    }
  } catch (error) {
    if (error instanceof BrokenFile) throw fail(error.message);
    if (error instanceof CsvError) throw fail("this is no list of devices: its quotes are wrong.");
    throw error;
  }
  if (found.size === 0) throw fail("this is no list of devices: it has no DeviceId with a DisplayName.");
  return found;
};
