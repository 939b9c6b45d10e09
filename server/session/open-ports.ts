import type { CommandContext } from "../command/define-command.ts";
import type { OnRecord } from "../audit/on-record.ts";
import type { OpenForEstimate } from "../authorization/elevation-gate.ts";
import type { Reviewer, ReviewPort } from "../command/review-port.ts";
import type { TranscriptPort } from "../command/transcript-port.ts";
import type { KeyBounds, KeySearch, ListedKey, SiteDatabase } from "../command/site-database.ts";
import { boundKeys } from "../site-database/bound-keys.ts";

interface DataPorts {
  readonly siteDatabase: SiteDatabase;
  readonly transcripts: TranscriptPort;
  readonly review: (reviewer: Reviewer, signal: AbortSignal) => ReviewPort;
  readonly now: () => Date;
}

/** How far the ports are opened. */
interface Terms {
  readonly keyBounds: KeyBounds | undefined;
  readonly signal: AbortSignal;
}

type OpenedPorts = Pick<CommandContext, "opening" | "siteDatabase" | "transcripts" | "review" | "signal" | "now">;

/** The ports of data, closed: a session holds these and no port itself. */
export interface ClosedPorts {
  /** For the command whose start is on the record. */
  readonly forCommand: (
    opening: OnRecord<"command-started">,
    terms: Terms & { readonly reviewer: Reviewer },
  ) => OpenedPorts;
  /** For one search that is on the record. */
  readonly forSearch: (
    opening: OnRecord<"search">,
    search: KeySearch,
    terms: Terms,
  ) => AsyncIterable<readonly ListedKey[]>;
  /** For counting the rows of a request for approval that is on the record. */
  readonly forEstimate: OpenForEstimate;
}

/** Closes the ports of data over: from here on they are reached with the proof of an event on the record only. */
export const closePorts = ({ siteDatabase, transcripts, review, now }: DataPorts): ClosedPorts => ({
  forCommand: (opening, { keyBounds, signal, reviewer }) => ({
    opening,
    siteDatabase: boundKeys(siteDatabase, keyBounds),
    transcripts,
    review: review(reviewer, signal),
    signal,
    now,
  }),
  forSearch: (_opening, search, { keyBounds, signal }) => boundKeys(siteDatabase, keyBounds).searchKeys(search, signal),
  forEstimate: (opening, { keyBounds, signal }) => ({
    opening,
    siteDatabase: boundKeys(siteDatabase, keyBounds),
    signal,
    now,
  }),
});
