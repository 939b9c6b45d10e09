import type { RecoveryRecord } from "../site-database/recovery-record.ts";
import { decodeTime } from "./fields.ts";
import { propertyIn, type Properties } from "./found-object.ts";
import { cellText, type Layout } from "./layout.ts";
import { BrokenFile, type Reading } from "./reading.ts";
import { rowReader, type Surroundings } from "./rows.ts";

/** Properties of Graph's bitlockerRecoveryKey besides `id`. */
const graphProperties = ["key", "deviceid", "createddatetime", "volumetype", "@odata.type"];

const holdsObjects = (value: unknown): boolean =>
  Array.isArray(value) && value.some((item) => typeof item === "object");

/** A device with a list of its keys has an id and a device id, too, and is no key itself. */
export const isGraphKey = (properties: Properties): boolean =>
  propertyIn(properties, "id") !== undefined &&
  graphProperties.some((name) => propertyIn(properties, name) !== undefined) &&
  (propertyIn(properties, "key") !== undefined || ![...properties.values()].some(holdsObjects));

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;

export interface GraphKeys {
  read(
    object: { readonly line: number; readonly properties: Properties },
    row: { readonly layout: Layout; readonly cells: readonly string[] },
    around: Surroundings,
  ): readonly RecoveryRecord[];
  /** Objects that had no key are judged when it is known whether any had one. */
  finish(): void;
}

/** How many lines are remembered of objects without a key. */
const remembered = 20;

/**
 * The bitlockerRecoveryKey objects of one file. Graph gives a key for one id at a time (`?$select=key`) and never in a
 * list, so a file without any key is not a damaged file but the wrong question.
 */
export const createGraphKeys = (reading: Reading): GraphKeys => {
  const readRow = rowReader(reading);
  let withKey = 0;
  let withoutKey = 0;
  let device: string | undefined;
  const lines: number[] = [];

  /** Only ever one computer when `--computer-name` names it: else the keys of all would be filed under that one. */
  const checkDevice = (line: number, deviceId: string): void => {
    device ??= deviceId.toLowerCase();
    if (reading.computerName !== undefined && device !== deviceId.toLowerCase()) {
      throw new BrokenFile(line, "a second device begins here; --computer-name can name only one. Leave it out.");
    }
  };

  return {
    read: ({ line, properties }, { layout, cells }, around) => {
      const password = textOf(propertyIn(properties, "key"));
      if (password === undefined || password.trim() === "") {
        withoutKey += 1;
        if (lines.length < remembered) lines.push(line);
        return [];
      }
      withKey += 1;
      const deviceId = textOf(propertyIn(properties, "deviceid"));
      if (deviceId !== undefined) checkDevice(line, deviceId);
      const time = textOf(propertyIn(properties, "createddatetime"));
      if (time !== undefined && decodeTime(time) === undefined) {
        reading.refuse(line, "createdDateTime is not a time.", password);
        return [];
      }
      // Graph itself names devices by id, which `--computer-name` replaces; a name that a script added is honoured.
      const names = (layout.columns.get("computer") ?? []).filter((index) => cellText(cells[index] ?? "") !== deviceId);
      const columns = new Map(layout.columns);
      const isUnknown = deviceId !== undefined && reading.deviceName(deviceId) === undefined;
      if (reading.computerName !== undefined && isUnknown) columns.set("computer", names);
      const isOneComputer = deviceId !== undefined || around.isOneComputer === true;
      return readRow({ ...layout, columns, isGraph: true }, cells, line, { ...around, isOneComputer });
    },
    finish: () => {
      if (withoutKey > 0 && withKey === 0) {
        throw new BrokenFile(
          undefined,
          `nothing to import: this list of Microsoft Graph names ${withoutKey} recovery keys but holds none of them. ` +
            "Graph gives a key for one id at a time: GET /informationProtection/bitlocker/recoveryKeys/{id}?$select=key",
        );
      }
      for (const line of lines) reading.refuse(line, "the key itself is missing.");
      for (let left = lines.length; left < withoutKey; left += 1) {
        reading.refuse(lines.at(-1) ?? 1, "one more after this line: the key itself is missing.");
      }
    },
  };
};
