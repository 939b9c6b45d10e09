import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { readTextOfRecord } from "./open-of-record.ts";

/** No request and no approval lives longer than a day each (roles-schema.ts). */
const longestLifeMs = 48 * 60 * 60_000;
/** What `disclosuresPerHour` looks back to. */
const hourMs = 60 * 60_000;

const recent = z.looseObject({
  at: z.iso.datetime(),
  event: z.discriminatedUnion("type", [
    z.looseObject({ type: z.literal("elevation"), state: z.string(), requestId: z.string() }),
    z.looseObject({
      type: z.literal("disclosure"),
      connectedUser: z.string(),
      keys: z.array(z.looseObject({ keyId: z.string() })),
    }),
  ]),
});

/** What a start must know of the time before it. */
export interface RecentLog {
  /**
   * Requests for approval that are over. The elevation store knows them too, unless somebody cut its end off: then an
   * approval that was used would look unused.
   */
  readonly endedElevations: ReadonlySet<string>;
  /** Each disclosure of the last hour, oldest first: a restart gives nobody a fresh hour. */
  readonly shownKeys: readonly { readonly connectedUser: string; readonly keyId: string; readonly at: Date }[];
}

/** `since` as a line says it: times of one form and one zone stand in the order of their texts. */
const decodeRecent = (line: string, since: string): z.infer<typeof recent> | undefined => {
  // Most lines are of other kinds, or disclosures from before: not worth parsing, which takes 15 µs each.
  if (!line.includes('"elevation"')) {
    if (!line.includes('"disclosure"')) return undefined;
    const at = /^\{"seq":\d+,"at":"(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(line)?.groups?.["at"];
    if (at !== undefined && at < since) return undefined;
  }
  try {
    return recent.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // a torn line; opening the log repairs and records it
  }
};

/** @param directory the log's segments */
export const readRecentLog = (directory: string, now: Date): RecentLog => {
  const segments = readdirSync(directory)
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => now.getTime() - statSync(path).mtimeMs < longestLifeMs);
  const endedElevations = new Set<string>();
  const shownKeys: RecentLog["shownKeys"][number][] = [];
  const since = new Date(now.getTime() - hourMs).toISOString();
  for (const path of segments) {
    for (const line of readTextOfRecord(path).split("\n")) {
      const decoded = decodeRecent(line, since);
      if (decoded === undefined) continue;
      const { event } = decoded;
      const at = new Date(decoded.at);
      if (event.type === "elevation") {
        if (/^(?:denied|consumed|expired)$/.test(event.state)) endedElevations.add(event.requestId);
      } else if (now.getTime() - at.getTime() < hourMs) {
        for (const { keyId } of event.keys) shownKeys.push({ connectedUser: event.connectedUser, keyId, at });
      }
    }
  }
  return { endedElevations, shownKeys };
};
