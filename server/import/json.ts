import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { createGraphKeys } from "./graph-keys.ts";
import { readJsonObjects, type JsonObject } from "./json-objects.ts";
import { readKeyProtector, readVolume } from "./key-protectors.ts";
import type { Reading } from "./reading.ts";
import { findColumns, readRow } from "./rows.ts";

/** Properties of Graph's bitlockerRecoveryKey besides `id`. */
const graphProperties = ["key", "deviceid", "createddatetime", "volumetype", "@odata.type"];

/** An object with the names of a CSV row's columns, such as this endpoint's own `-Format json`. */
const readObjectRow = (object: JsonObject, reading: Reading): RecoveryRecord[] | undefined => {
  const names = [...object.properties.keys()];
  const columns = findColumns(names);
  if (columns === undefined) return undefined;
  const cells = names.map((name) => {
    const value = object.properties.get(name);
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  });
  return readRow(columns, cells, object.line, reading);
};

/** Reads JSON: PowerShell's protectors and volumes, Graph's keys, and rows under a CSV's names. */
export async function* readJson(pieces: AsyncIterable<string>, reading: Reading): AsyncGenerator<RecoveryRecord> {
  const graph = createGraphKeys(reading);
  const readObject = (object: JsonObject): RecoveryRecord[] => {
    const { properties, line } = object;
    if (properties.has("keyprotectorid")) return readKeyProtector(object, reading);
    if (properties.has("keyprotector")) return readVolume(object, reading);
    if (properties.has("id") && graphProperties.some((name) => properties.has(name))) return graph.read(object);
    if (properties.has("error")) {
      reading.refuse(line, "this is an error answer of Microsoft Graph, not a key.");
      return [];
    }
    const rows = readObjectRow(object, reading);
    if (rows === undefined) {
      reading.refuse(
        line,
        "this object is neither a key protector of PowerShell nor a recovery key of Microsoft Graph.",
      );
    }
    return rows ?? [];
  };
  for await (const objects of readJsonObjects(pieces)) {
    for (const object of objects) yield* readObject(object);
  }
  graph.finish();
}
