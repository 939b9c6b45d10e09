import * as z from "zod";

/**
 * What every line has, whichever version wrote it: an older or newer event type is no damage. Objects are left as they are.
 */
const line = z.looseObject({
  seq: z.number().int().positive(),
  at: z.string(),
  uptimeMs: z.number(),
  server: z.string().optional(),
  event: z.looseObject({ type: z.string() }),
});

export type ReadLine = z.infer<typeof line>;
export type ReadEvent = ReadLine["event"];

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @returns undefined when the bytes are not a line of a log */
export const decodeLine = (raw: Uint8Array): ReadLine | undefined => {
  try {
    const decoded = line.safeParse(JSON.parse(utf8.decode(raw)));
    return decoded.success ? decoded.data : undefined;
  } catch {
    return undefined;
  }
};

/** A field that should be text; an empty one where it is not there. */
export const textOf = (event: ReadEvent, field: string): string => {
  const value = event[field];
  return typeof value === "string" ? value : "";
};

/** The same of a number; undefined where it is not there. */
export const numberOf = (event: ReadEvent, field: string): number | undefined => {
  const value = event[field];
  return typeof value === "number" ? value : undefined;
};

export interface DisclosedKey {
  readonly keyId: string;
  readonly computerName: string;
}

/** The keys that a disclosure names. */
export const disclosedIn = (event: ReadEvent): readonly DisclosedKey[] => {
  const keys = event["keys"];
  if (!Array.isArray(keys)) return [];
  return keys.map((key: unknown) => {
    const { keyId, computerName } = Object(key) as { keyId?: unknown; computerName?: unknown }; // of a log that may be damaged
    return { keyId: String(keyId), computerName: String(computerName) };
  });
};
