import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Party, RecordedParty } from "../identity/party.ts";
import { wholeLinesOf } from "./log-lines.ts";

/** No request and no approval lives longer than a day each (roles-schema.ts). */
const longestLifeMs = 48 * 60 * 60_000;
/** What `disclosuresPerHour` looks back to. */
const hourMs = 60 * 60_000;

/** What proved who somebody is; lines of earlier versions lack it. */
const proof = {
  keyFingerprint: z.string().optional(),
  certificate: z.looseObject({ authority: z.string(), keyId: z.string() }).optional(),
};

const recent = z.looseObject({
  at: z.iso.datetime(),
  event: z.discriminatedUnion("type", [
    z.looseObject({ type: z.literal("elevation"), state: z.string(), requestId: z.string() }),
    z.looseObject({
      type: z.literal("disclosure"),
      connectedUser: z.string(),
      ...proof,
      keys: z.array(z.looseObject({ keyId: z.string() })),
    }),
    z.looseObject({
      type: z.literal("authentication"),
      outcome: z.string(),
      connectedUser: z.string(),
      keyFingerprint: z.string(),
      certificate: proof.certificate,
      secondFactor: z.string(),
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
  readonly shownKeys: readonly { readonly party: RecordedParty; readonly keyId: string; readonly at: Date }[];
  /** Each log-in with a code: what wrong codes of others must not delay. */
  readonly gaveCode: readonly Party[];
}

/** `since` as a line says it: times of one form and one zone stand in the order of their texts. */
const decodeRecent = (line: string, since: string): z.infer<typeof recent> | undefined => {
  // Most lines are of other kinds, or disclosures from before: not worth parsing, which takes 15 µs each.
  if (!line.includes('"elevation"')) {
    const isDisclosure = line.includes('"disclosure"');
    if (!isDisclosure && !line.includes('"secondFactor":"')) return undefined;
    const at = /^\{"seq":\d+,"at":"(?<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(line)?.groups?.["at"];
    if (isDisclosure && at !== undefined && at < since) return undefined;
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
  const gaveCode: Party[] = [];
  const since = new Date(now.getTime() - hourMs).toISOString();
  for (const path of segments) {
    for (const line of wholeLinesOf(path)) {
      const decoded = decodeRecent(line, since);
      if (decoded === undefined) continue;
      const { event } = decoded;
      const at = new Date(decoded.at);
      if (event.type === "elevation") {
        if (/^(?:denied|consumed|expired)$/.test(event.state)) endedElevations.add(event.requestId);
      } else if (event.type === "authentication") {
        const { connectedUser, keyFingerprint, certificate } = event;
        if (event.outcome === "accepted") gaveCode.push({ connectedUser, keyFingerprint, certificate });
      } else if (now.getTime() - at.getTime() < hourMs) {
        const { connectedUser, keyFingerprint, certificate } = event;
        const party = { connectedUser, keyFingerprint, certificate };
        for (const { keyId } of event.keys) shownKeys.push({ party, keyId, at });
      }
    }
  }
  return { endedElevations, shownKeys, gaveCode };
};
