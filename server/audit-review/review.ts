import type { EventLog } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import { exportRecord } from "./export-record.ts";
import type { LiveFeed } from "./live-feed.ts";
import { recordPaths } from "./record-paths.ts";
import type { EventQuery, ReviewPort, Reviewer, SessionQuery } from "../command/review-port.ts";
import type { ReviewItems, ReviewKind, ReviewTask } from "./review-task.ts";
import { runInWorker } from "./run-in-worker.ts";
import { streamEvents } from "./stream-events.ts";
import type { Verification } from "./verify-record.ts";

export interface ReviewDependencies {
  readonly dataDirectory: string;
  readonly log: EventLog & { checkpoint(): Promise<void> };
  readonly feed: LiveFeed;
  /** Every type of event there is. */
  readonly eventTypes: readonly string[];
}

/** The record, as one user of one session reviews it. */
export type ReviewFor = (reviewer: Reviewer, signal: AbortSignal) => ReviewPort;

/** Threads that read the whole record, for all auditors together: each keeps a processor busy. */
const mostThreads = 4;
/** Of one auditor: one who reads no further must not keep the others from the record. */
const mostThreadsOfOne = 2;
/** Reading needs a few. */
const mostMemoryMb = 256;

type Review = Extract<Parameters<EventLog["append"]>[0], { type: "review" }>;
type Filter = NonNullable<Review["filter"]>;

/** As it was understood, times fixed: "7d" says nothing once it is read a year later. */
const filterOf = (query: SessionQuery | Omit<EventQuery, "follow">): { readonly filter?: Filter } => {
  const filter: Filter = {};
  for (const [name, value] of Object.entries(query) as [string, unknown][]) {
    if (value instanceof Date) filter[name] = value.toISOString();
    else if (Array.isArray(value)) filter[name] = value.map(String);
    else if (typeof value === "string" || typeof value === "number") filter[name] = value;
  }
  return Object.keys(filter).length === 0 ? {} : { filter };
};

/** What runs the threads of all auditors, so many at a time. */
const reviewThreads = () => {
  /** By user; each that is under way. */
  const threads: string[] = [];

  return async function* inThread<Kind extends ReviewKind>(
    task: ReviewTask<Kind>,
    onProgress: (events: number) => void,
    { connectedUser }: Reviewer,
    signal: AbortSignal,
  ): AsyncGenerator<ReviewItems[Kind]> {
    const own = threads.filter((user) => user === connectedUser).length;
    if (own >= mostThreadsOfOne || threads.length >= mostThreads) {
      throw new EndpointError(
        "LimitsExceeded",
        own >= mostThreadsOfOne
          ? `${mostThreadsOfOne} reviews of the whole record are under way in your sessions, the most at a time. End one first.`
          : `${mostThreads} reviews of the whole record are under way, the most at a time. Try again when one is over.`,
      );
    }
    threads.push(connectedUser);
    // One that a file system holds counts until it is gone: or whoever stops and starts again would pile them up.
    const onGone = (): void => void threads.splice(threads.indexOf(connectedUser), 1);
    yield* runInWorker(task, { onProgress, onGone, signal, mostMemoryMb });
  };
};

export const createReview = ({ dataDirectory, log, feed, eventTypes }: ReviewDependencies): ReviewFor => {
  const directory = recordPaths(dataDirectory).log;
  const inThread = reviewThreads();
  return (reviewer, signal) => {
    const record = (review: Omit<Review, "type">): Promise<void> =>
      log.append({ type: "review", ...reviewer, ...review });

    return {
      async sessions(query) {
        await record({ action: "list", ...filterOf(query) });
        const task = { kind: "sessions", dataDirectory, query, throughSeq: feed.lastSeq } as const;
        return inThread(task, () => undefined, reviewer, signal);
      },
      async events(query) {
        const unknown = query.types?.find((type) => !eventTypes.includes(type));
        if (unknown !== undefined) {
          throw new EndpointError(
            "InvalidArgument",
            `There is no event of the type ${unknown}. There are: ${eventTypes.join(", ")}.`,
          );
        }
        const { follow, sessionId, ...rest } = query;
        await record({
          action: follow ? "follow" : sessionId === undefined ? "events" : "show",
          ...(sessionId === undefined ? {} : { reviewedSessionId: sessionId }),
          ...filterOf(rest),
        });
        return streamEvents({ directory, throughSeq: feed.lastSeq, feed }, query, signal);
      },
      async verify(sinceCheckpoint, onProgress) {
        await record({ action: "verify", ...(sinceCheckpoint === undefined ? {} : { filter: { sinceCheckpoint } }) });
        // Signed through this review, so that nothing of it is reported as unsigned.
        await log.checkpoint();
        const of = feed.lastSeq;
        const once = async (): Promise<Verification> => {
          const task = { kind: "verify", dataDirectory, publicKey: undefined, sinceCheckpoint } as const;
          for await (const verification of inThread(task, (events) => onProgress(events, of), reviewer, signal)) {
            return verification;
          }
          throw new Error("the verification ended without a result");
        };
        // What the server writes meanwhile can look wrong for a moment, as a transcript whose session is not on the record yet.
        // What is wrong stays so.
        const found = await once();
        return found.problems.length === 0 ? found : once();
      },
      exportRecord: () =>
        exportRecord(
          dataDirectory,
          async () => {
            await record({ action: "export" });
            await log.checkpoint();
          },
          () => feed.lastSeq,
        ),
    };
  };
};
