import { join } from "node:path";
import * as z from "zod";
import type { Party, RecordedParty } from "../identity/party.ts";
import { beforeType, wholeLinesOf } from "./log-lines.ts";
import { segmentsSince } from "./segments-since.ts";

/** No request and no approval lives longer than a day each (roles-schema.ts). */
const longestLifeMs = 48 * 60 * 60_000;
/** What `disclosuresPerHour` looks back to. */
const hourMs = 60 * 60_000;

/** What proved who somebody is; lines of earlier versions lack it. */
const proof = {
  keyFingerprint: z.string().optional(),
  certificate: z.object({ authority: z.string(), keyId: z.string() }).optional(),
};

/** Of a line, what is looked back to; the rest of it is left out. */
export const recentLine = z.object({
  at: z.iso.datetime(),
  event: z.discriminatedUnion("type", [
    z.object({ type: z.literal("elevation"), state: z.string(), requestId: z.string() }),
    z.object({
      type: z.literal("disclosure"),
      connectedUser: z.string(),
      ...proof,
      keys: z.array(z.object({ keyId: z.string() })),
    }),
    z.object({ type: z.literal("search"), connectedUser: z.string(), ...proof }),
    z.object({
      type: z.literal("authentication"),
      outcome: z.string(),
      connectedUser: z.string(),
      keyFingerprint: z.string(),
      certificate: proof.certificate,
      secondFactor: z.string(),
    }),
  ]),
});

export type RecentLine = z.infer<typeof recentLine>;

/** What a start must know of the time before it. */
export interface RecentLog {
  /**
   * Requests for approval that are over. The elevation store knows them too, unless somebody cut its end off: then an
   * approval that was used would look unused.
   */
  readonly endedElevations: ReadonlySet<string>;
  /** Each disclosure of the last hour, oldest first: a restart gives nobody a fresh hour. */
  readonly shownKeys: readonly { readonly party: RecordedParty; readonly keyId: string; readonly at: Date }[];
  /** Each search of the last hour, for the same reason. */
  readonly searches: readonly { readonly party: RecordedParty; readonly at: Date }[];
  /** Each log-in with a code: what wrong codes of others must not delay. */
  readonly gaveCode: readonly Party[];
}

/** `since` as a line says it: times of one form and one zone stand in the order of their texts. */
const decodeRecent = (line: string, since: string): RecentLine | undefined => {
  // Most lines are of other kinds, or disclosures from before: not worth parsing, which takes 15 µs each.
  const type = line.indexOf(beforeType) + beforeType.length;
  if (!line.startsWith("elevation", type)) {
    const isCounted = line.startsWith("disclosure", type) || line.startsWith('search"', type);
    if (!isCounted && !line.includes('"secondFactor":"')) return undefined;
    const at = /^\{"seq":\d+,"at":"(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(line)?.groups?.["at"];
    if (isCounted && at !== undefined && at < since) return undefined;
  }
  try {
    return recentLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // a torn line; opening the log repairs and records it
  }
};

/** Lines of a summary of the log, and the number of the last event that it is about. */
export interface RecentBefore {
  readonly through: number;
  readonly recent: readonly RecentLine[];
}

/**
 * The lines that tell what a start must know, oldest first.
 *
 * @param directory the log's segments
 * @param before what is known of the first of them without reading
 * @param last the number of the last event that is wanted
 */
export const readRecentLines = (
  directory: string,
  now: Date,
  before?: RecentBefore,
  last = Number.MAX_SAFE_INTEGER,
): RecentLine[] => {
  const since = new Date(now.getTime() - hourMs).toISOString();
  const lines = (before?.recent ?? []).filter(
    ({ at, event }) =>
      now.getTime() - Date.parse(at) <
      (event.type === "disclosure" || event.type === "search" ? hourMs : longestLifeMs),
  );
  // By what their lines say: the time of a file is anybody's to set who can replace it.
  const segments = segmentsSince(directory, new Date(now.getTime() - longestLifeMs)).filter(
    ({ pruned, firstSeq }) => !pruned && firstSeq > (before?.through ?? 0) && firstSeq <= last,
  );
  for (const { name } of segments) {
    for (const line of wholeLinesOf(join(directory, name))) {
      const decoded = decodeRecent(line, since);
      if (decoded !== undefined) lines.push(decoded);
    }
  }
  return lines;
};

/** @param directory the log's segments */
export const readRecentLog = (directory: string, now: Date, before?: RecentBefore): RecentLog => {
  const endedElevations = new Set<string>();
  const shownKeys: RecentLog["shownKeys"][number][] = [];
  const searches: RecentLog["searches"][number][] = [];
  const gaveCode: Party[] = [];
  for (const line of readRecentLines(directory, now, before)) {
    const { event } = line;
    const at = new Date(line.at);
    if (event.type === "elevation") {
      if (/^(?:denied|consumed|expired)$/.test(event.state)) endedElevations.add(event.requestId);
    } else if (event.type === "authentication") {
      const { connectedUser, keyFingerprint, certificate } = event;
      if (event.outcome === "accepted") gaveCode.push({ connectedUser, keyFingerprint, certificate });
    } else if (now.getTime() - at.getTime() < hourMs) {
      const { connectedUser, keyFingerprint, certificate } = event;
      const party = { connectedUser, keyFingerprint, certificate };
      if (event.type === "search") searches.push({ party, at });
      else for (const { keyId } of event.keys) shownKeys.push({ party, keyId, at });
    }
  }
  return { endedElevations, shownKeys, searches, gaveCode };
};
