import { createPublicKey, type KeyObject } from "node:crypto";
import type { Forwarding } from "../audit-forwarding/forwarding.ts";
import { LiveFeed } from "../audit-review/live-feed.ts";
import { watchRecord, type RecordWatch } from "../audit-review/watch-record.ts";
import type { AuditEvent, EventLog } from "../audit/event.ts";
import { keepSummary, type SummaryKeeper } from "../audit/keep-summary.ts";
import { openRecord, type OpenRecord } from "../audit/open-record.ts";
import { RecordBudget } from "../audit/record-budget.ts";
import type { StorageLadder } from "../audit/storage-ladder.ts";
import { pathsIn, type Configuration } from "../configuration.ts";
import type { Runtime } from "../runtime.ts";
import { startStorageLadder } from "./storage.ts";
import type { Start } from "./start.ts";

type Budget = Extract<AuditEvent, { type: "budget-struck" }>["budget"];

/** Puts it on the record that a user used a budget up. */
class Strikes {
  readonly #most: Readonly<Record<Budget, number>>;
  readonly #report: Runtime["report"];
  #log: EventLog | undefined;

  constructor(configuration: Configuration, report: Runtime["report"]) {
    const { first, last } = configuration.userInterface.accounts;
    this.#most = { ...configuration, "userInterface.accounts": last - first + 1 };
    this.#report = report;
  }

  /** Before this none is noted: what a start closes in an old record is nobody's doing now. */
  noteIn(log: EventLog): void {
    this.#log = log;
  }

  note(budget: Budget, connectedUser: string): void {
    this.#log
      ?.append({ type: "budget-struck", connectedUser, budget, most: this.#most[budget] })
      .catch((error: unknown) => this.#report(`a budget that was used up: ${String(error)}`));
  }
}

/** The log, and who is told what becomes of it. */
interface EndpointLog {
  readonly log: OpenRecord;
  readonly feed: LiveFeed;
  readonly budget: RecordBudget;
  readonly strikes: Strikes;
  /** Tells this, too, of every event that is durable. */
  readonly forwardTo: (forwarding: Pick<Forwarding, "grown">) => void;
  /** Has a summary made of each segment that is over from now on. */
  readonly summarizeBy: (keeper: SummaryKeeper) => void;
}

/** The record, and what watches it. */
export interface EndpointRecord extends Omit<EndpointLog, "summarizeBy"> {
  readonly storage: StorageLadder;
  readonly watch: RecordWatch;
  /** Verifies the record and summarizes it, beside the sessions. */
  readonly beginUpkeep: () => void;
}

const openLog = async (start: Start, logKey: KeyObject): Promise<EndpointLog> => {
  const { configuration, runtime, surroundings, opened } = start;
  const feed = new LiveFeed();
  const strikes = new Strikes(configuration, runtime.report);
  const budget = new RecordBudget({
    mebibytesPerHour: configuration.recordMiBPerHour,
    nowMs: runtime.uptimeMs,
    onStruck: (connectedUser) => strikes.note("recordMiBPerHour", connectedUser),
  });
  let keeper: SummaryKeeper | undefined;
  let forwarding: Pick<Forwarding, "grown"> | undefined;
  const log = await openRecord({
    directory: pathsIn(configuration.dataDirectory).audit,
    key: logKey,
    runtime,
    server: surroundings.host.hostName,
    stop: surroundings.stop,
    onSegmentOver: () => void keeper?.look(),
    onTaken: (event, length) => budget.takeEvent(event, length),
    onDurable: (lastSeq) => {
      feed.take(lastSeq);
      forwarding?.grown();
    },
  });
  opened.defer(() => log.close());
  strikes.noteIn(log);
  return {
    log,
    feed,
    budget,
    strikes,
    forwardTo: (started) => {
      forwarding = started;
    },
    summarizeBy: (kept) => {
      keeper = kept;
    },
  };
};

export const openEndpointRecord = async (start: Start, logKey: KeyObject): Promise<EndpointRecord> => {
  const { configuration, runtime, opened } = start;
  const { dataDirectory } = configuration;
  const { audit } = pathsIn(dataDirectory);
  const { summarizeBy, ...parts } = await openLog(start, logKey);
  const { log } = parts;
  const storage = startStorageLadder(audit, configuration.auditReserveBytes, log, runtime);
  opened.defer(() => storage.close());
  const watch = watchRecord({
    dataDirectory,
    publicKey: createPublicKey(logKey).export({ type: "spki", format: "pem" }),
    log,
    foundBefore: log.foundBefore,
    everyMs: configuration.verifyRecordMs,
    runtime,
  });
  opened.defer(() => watch.close());
  const through = log.recentBefore?.through ?? 0;
  const keeper = keepSummary({ directory: audit, key: logKey, log, runtime, through });
  opened.defer(() => keeper.close());
  return {
    ...parts,
    storage,
    watch,
    beginUpkeep: () => {
      void watch.begin();
      summarizeBy(keeper);
      void keeper.look();
    },
  };
};
