import { randomBytes } from "node:crypto";
import type { EventLog, Origin } from "../audit/event.ts";
import { OnRecord } from "../audit/on-record.ts";
import { recordOf, type RecordedParty } from "../identity/party.ts";
import {
  changeOf,
  eventOf,
  heldOf,
  isAskedBy,
  isOpen,
  isOwn,
  isUncounted,
  notCounted,
  requesterOf,
  shown,
  shownToRequester,
  type ElevationParty,
  type Held,
} from "./elevation-held.ts";
import { refuseOneMore, refuseToDecide, refuseUnlessUsable, refuseUnreadable } from "./elevation-refusals.ts";
import type { Elevation, ElevationState } from "../command/elevation-port.ts";
import type { ElevationStore, StoredRequest } from "./elevation-store.ts";
import { orStopped } from "../or-stopped.ts";
import { RowCounts, type Counted } from "./row-counts.ts";

export interface AskedElevation extends Pick<StoredRequest, "command" | "invocation" | "digest" | "reason"> {
  /** Counts its rows once the request is on the record; absent where the command counts none. Never rejects. */
  readonly count?: (opening: OnRecord<"elevation">, signal: AbortSignal) => Promise<Counted>;
}

interface ElevationTimes {
  /** How long a request waits for a decision. */
  readonly requestMs: number;
  /** How long an approval can be used. */
  readonly approvalMs: number;
}

export interface ElevationOptions {
  readonly store: ElevationStore;
  readonly log: EventLog;
  readonly now: () => Date;
  readonly times: () => ElevationTimes;
  /** Requests that the log says are over, whatever the store says. */
  readonly over: ReadonlySet<string>;
  /** The store is made smaller when it has so many more lines than requests. */
  readonly spareLines?: number;
}

type Change = (elevation: Elevation, requester: RecordedParty) => void;

/** Decided requests stay in sight of their requester so long. */
const keptMs = 24 * 60 * 60_000;
/** Some 2 MB at most; a request takes two to four lines. */
const defaultSpareLines = 2000;
/**
 * Every request for approval and what became of it. One turn at a time: what is checked in a turn is still so when it is
 * written, whatever other sessions do.
 */
export class Elevations {
  readonly #options: ElevationOptions;
  readonly #held = new Map<string, Held>();
  readonly #listeners = new Set<Change>();
  readonly #counts = new RowCounts();
  #last: Promise<unknown> = Promise.resolve();
  #sweeping: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ElevationOptions) {
    this.#options = options;
    for (const { requestId, request: made, ...change } of options.store.changes) {
      const request = made ?? this.#held.get(requestId)?.request;
      if (request !== undefined) this.#held.set(requestId, heldOf(request, change));
    }
    for (const [requestId, held] of this.#held) {
      if (isOpen(held) && options.over.has(requestId)) held.state = "expired";
    }
    this.#forget();
    this.#sweepLater();
  }

  /** Called after each change, once it is durable. @returns how to stop listening */
  onChange(listener: Change): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * The request of this very invocation that is open already, or a new one, as its requester may see it. Its rows are counted once it
   * is on the record; nobody waits for that here, whatever the site database does.
   */
  request({ count, ...asked }: AskedElevation, party: ElevationParty): Promise<Elevation> {
    return this.#inTurn(async () => {
      refuseUnreadable(asked.invocation);
      const open = [...this.#held.values()].filter(isOpen);
      const own = open.filter((held) => isOwn(held, party));
      const same = own.find((held) => held.request.digest === asked.digest && isAskedBy(held, party));
      if (same !== undefined) {
        // Asked for while the site database was away, or before a restart: on the record again, and counted.
        if (count !== undefined && isUncounted(same) && same.counting === undefined) {
          this.#count(same, count, await this.#record("requested", same, party.origin));
        }
        return shownToRequester(same);
      }
      refuseOneMore(own.length, open.length);
      const requestedAtMs = this.#nowMs();
      const request: StoredRequest = {
        ...asked,
        ...(count === undefined ? {} : { counts: true as const }),
        requestId: this.#newId(),
        requester: party.connectedUser,
        ...recordOf(party),
        requestedAtMs,
      };
      const expiresAtMs = requestedAtMs + this.#options.times().requestMs;
      const held = heldOf(request, { state: "pending", expiresAtMs });
      // The record first: no request can be approved that is not on it.
      const opening = await this.#record("requested", held, party.origin);
      await this.#options.store.append({ ...changeOf(held), request });
      this.#held.set(request.requestId, held);
      if (count !== undefined) this.#count(held, count, opening);
      this.#changed(held);
      return shownToRequester(held);
    });
  }

  /**
   * Takes an approval, once: durable in the store and on the record before it resolves, so before anything runs.
   *
   * @throws EndpointError ApprovalRequired when this is no approved request of this user for this very invocation
   */
  consume(requestId: string, digest: string, party: ElevationParty): Promise<Elevation> {
    return this.#inTurn(async () => {
      const held = this.#held.get(requestId);
      refuseUnlessUsable(held, requestId, digest, party);
      // In memory first and for good: whatever fails from here on, it can't be taken again.
      held.state = "consumed";
      await this.#options.store.append(changeOf(held));
      await this.#record("consumed", held, party.origin);
      this.#changed(held);
      return shown(held);
    });
  }

  /** @throws EndpointError ObjectNotFound, InvalidArgument (one's own), ResourceExists (decided already), ResourceUnavailable (not counted) */
  decide(
    requestId: string,
    decision: "approved" | "denied",
    comment: string,
    party: ElevationParty,
  ): Promise<Elevation> {
    return this.#inTurn(async () => {
      const held = this.#heldToDecide(requestId, party);
      if (decision === "approved" && isUncounted(held)) throw notCounted(held);
      const decided: Held = {
        ...held,
        state: decision,
        expiresAtMs: decision === "approved" ? this.#nowMs() + this.#options.times().approvalMs : held.expiresAtMs,
        decidedBy: party.connectedUser,
        decidedWith: recordOf(party),
        comment,
      };
      await this.#record(decision, decided, party.origin);
      await this.#options.store.append(changeOf(decided));
      this.#held.set(requestId, decided);
      this.#changed(decided);
      return shown(decided);
    });
  }

  /** Waits until its rows are counted, and has them counted again where that failed. @throws EndpointError as `decide` */
  async findToApprove(requestId: string, party: ElevationParty, signal: AbortSignal): Promise<Elevation> {
    const held = this.#heldToDecide(requestId, party);
    if (isUncounted(held)) {
      if (held.counting === undefined) this.#countHeld(held);
      if (held.counting !== undefined) await orStopped(held.counting, signal);
    }
    const now = this.#heldToDecide(requestId, party);
    if (isUncounted(now)) throw notCounted(now);
    return shown(now);
  }

  own(party: ElevationParty): readonly Elevation[] {
    return this.#list(({ request }) => request.requester === party.connectedUser, shownToRequester);
  }

  toDecide(party: ElevationParty): readonly Elevation[] {
    return this.#list((held) => held.state === "pending" && !isOwn(held, party), shown);
  }

  /** Ends what is over; done by itself too, when the next one is due. */
  sweep(): Promise<void> {
    return this.#inTurn(async () => undefined);
  }

  /**
   * Makes the store as small as it can be: one line for each request that is open or still in sight. One that is
   * forgotten can't be used again, for a use looks for its request here.
   */
  compact(): Promise<void> {
    const turn = this.#last.then(() => this.#compact(0));
    this.#last = turn.catch(() => undefined); // whoever asked hears of it
    return turn;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#sweeping);
    await this.#counts.close();
    await this.#last;
    await this.#options.store.close();
  }

  #nowMs(): number {
    return this.#options.now().getTime();
  }

  #stateNow(held: Held): ElevationState {
    return isOpen(held) && this.#nowMs() >= held.expiresAtMs ? "expired" : held.state;
  }

  #newId(): string {
    for (;;) {
      const id = `E-${randomBytes(5).toString("hex").toUpperCase()}`;
      if (!this.#held.has(id)) return id;
    }
  }

  #list(wanted: (held: Held) => boolean, show: (held: Held) => Elevation): readonly Elevation[] {
    return [...this.#held.values()]
      .map((held): Held => ({ ...held, state: this.#stateNow(held) }))
      .filter(wanted)
      .map(show)
      .toReversed();
  }

  #heldToDecide(requestId: string, party: ElevationParty): Held {
    const held = this.#held.get(requestId);
    refuseToDecide(held, party, held === undefined ? undefined : this.#stateNow(held));
    return held;
  }

  #record(
    state: Parameters<typeof eventOf>[0],
    held: Held,
    origin: Origin,
    error?: string,
  ): Promise<OnRecord<"elevation">> {
    return OnRecord.put(this.#options.log, eventOf(state, held, origin, error));
  }

  #count(held: Held, count: NonNullable<AskedElevation["count"]>, opening: OnRecord<"elevation">): void {
    held.count = (signal) => count(opening, signal);
    this.#countHeld(held);
  }

  #countHeld(held: Held): void {
    const { count, request } = held;
    if (count === undefined) return;
    // Decided or over meanwhile: then nobody wants to know it any more.
    const isWanted = (): boolean => held.state === "pending" && this.#held.get(request.requestId) === held;
    const countWanted = async (signal: AbortSignal) => (isWanted() ? count(signal) : undefined);
    held.counting = this.#counts
      .start(request.requester, countWanted, ({ error, ...counted }) =>
        this.#inTurn(async () => {
          if (!isWanted()) return;
          const estimated: Held = { ...held, counted };
          await this.#record("estimated", estimated, {}, error);
          await this.#options.store.append(changeOf(estimated));
          held.counted = counted;
          this.#changed(held);
        }),
      )
      .then(() => void (held.counting = undefined));
  }

  #changed(held: Held): void {
    for (const listener of this.#listeners) listener(shown(held), requesterOf(held));
    this.#sweepLater();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      await this.#expire();
      const done = await work();
      // A disk that is full must not take back what is done; the old file stays in force, and the next turn tries again.
      await this.#compact(this.#options.spareLines ?? defaultSpareLines).catch(() => undefined);
      return done;
    });
    this.#last = turn.catch(() => undefined); // whoever asked hears of it; the next turn goes on
    return turn;
  }

  async #expire(): Promise<void> {
    for (const held of this.#held.values()) {
      if (!isOpen(held) || this.#stateNow(held) !== "expired") continue;
      held.state = "expired";
      await this.#options.store.append(changeOf(held));
      await this.#record("expired", held, {});
      this.#changed(held);
    }
    this.#forget();
  }

  async #compact(spareLines: number): Promise<void> {
    const { store } = this.#options;
    if (store.lines <= this.#held.size + spareLines) return;
    await store.compact([...this.#held.values()].map((held) => ({ ...changeOf(held), request: held.request })));
  }

  #forget(): void {
    const before = this.#nowMs() - keptMs;
    for (const [id, held] of this.#held) if (!isOpen(held) && held.expiresAtMs < before) this.#held.delete(id);
  }

  #sweepLater(): void {
    clearTimeout(this.#sweeping);
    const due = Math.min(...[...this.#held.values()].filter(isOpen).map(({ expiresAtMs }) => expiresAtMs));
    if (this.#closed || !Number.isFinite(due)) return;
    // Not before it is due, and at least once a minute: the wall clock may be set.
    const inMs = Math.min(Math.max(due - this.#nowMs(), 50), 60_000);
    this.#sweeping = setTimeout(() => {
      // What can't be recorded is over all the same: `#stateNow` looks at the time.
      void this.sweep()
        .catch(() => undefined)
        .then(() => this.#sweepLater());
    }, inMs);
    this.#sweeping.unref();
  }
}
