import { randomBytes } from "node:crypto";
import type { EventLog, Origin } from "../audit/event.ts";
import { EndpointError } from "../errors.ts";
import { changeOf, eventOf, isOpen, isOwn, notFound, refuseUse, shown, whyNotUsable } from "./elevation-held.ts";
import type { ElevationParty, Held } from "./elevation-held.ts";
import type { Elevation, ElevationState } from "./elevation-port.ts";
import type { ElevationStore, StoredRequest } from "./elevation-store.ts";

export type AskedElevation = Pick<StoredRequest, "command" | "invocation" | "digest" | "reason" | "ceiling">;

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

type Change = (elevation: Elevation, requesterKey: string) => void;

/** Enough for honest work; more would only bury what an approver should read. */
const mostOpenOfOne = 20;
const mostOpen = 500;
/** Decided requests stay in sight of their requester so long. */
const keptMs = 24 * 60 * 60_000;
/** Some 2 MB at most; a request takes two to four lines. */
const defaultSpareLines = 2000;
/** Longer than this nobody reads before approving, and a screen would cut it. */
const longestInvocation = 1000;

/**
 * Every request for approval and what became of it. One turn at a time: what is checked in a turn is still so when it is
 * written, whatever other sessions do.
 */
export class Elevations {
  readonly #options: ElevationOptions;
  readonly #held = new Map<string, Held>();
  readonly #listeners = new Set<Change>();
  #last: Promise<unknown> = Promise.resolve();
  #sweeping: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ElevationOptions) {
    this.#options = options;
    for (const { requestId, state, expiresAtMs, request, decidedBy, comment } of options.store.changes) {
      if (request !== undefined) {
        this.#held.set(requestId, { request, state, expiresAtMs, decidedBy: undefined, comment: undefined });
      }
      const held = this.#held.get(requestId);
      if (held !== undefined) Object.assign(held, { state, expiresAtMs, decidedBy, comment });
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

  /** The request of this very invocation that is open already, or a new one. */
  request(asked: AskedElevation, party: ElevationParty): Promise<Elevation> {
    return this.#inTurn(async () => {
      if (asked.invocation.length > longestInvocation) {
        throw new EndpointError(
          "LimitsExceeded",
          `An invocation of more than ${longestInvocation} characters can't be approved: nobody would read all of it.`,
        );
      }
      const open = [...this.#held.values()].filter(isOpen);
      const own = open.filter(({ request }) => request.requester === party.connectedUser);
      const same = own.find(
        ({ request }) => request.digest === asked.digest && request.keyFingerprint === party.keyFingerprint,
      );
      if (same !== undefined) return shown(same);
      if (own.length >= mostOpenOfOne || open.length >= mostOpen) {
        throw new EndpointError(
          "LimitsExceeded",
          own.length >= mostOpenOfOne
            ? `You have ${mostOpenOfOne} open requests, the most at once. Wait until some are decided or over.`
            : "Too many requests are open on this endpoint. Try again later.",
        );
      }
      const requestedAtMs = this.#nowMs();
      const request: StoredRequest = {
        ...asked,
        requestId: this.#newId(),
        requester: party.connectedUser,
        keyFingerprint: party.keyFingerprint,
        requestedAtMs,
      };
      const held: Held = {
        request,
        state: "pending",
        expiresAtMs: requestedAtMs + this.#options.times().requestMs,
        decidedBy: undefined,
        comment: undefined,
      };
      // The record first: no request can be approved that is not on it.
      await this.#record("requested", held, party.origin);
      await this.#options.store.append({ ...changeOf(held), request });
      this.#held.set(request.requestId, held);
      this.#changed(held);
      return shown(held);
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
      // Another user's request is answered as one that does not exist: ids that are guessed tell nothing.
      if (
        held === undefined ||
        held.request.requester !== party.connectedUser ||
        held.request.keyFingerprint !== party.keyFingerprint
      ) {
        throw refuseUse("You have no such request.");
      }
      if (held.request.digest !== digest) {
        throw refuseUse(`Request ${requestId} is for another invocation: ${held.request.invocation}`);
      }
      if (held.state !== "approved") throw refuseUse(whyNotUsable(held));
      // In memory first and for good: whatever fails from here on, it can't be taken again.
      held.state = "consumed";
      await this.#options.store.append(changeOf(held));
      await this.#record("consumed", held, party.origin);
      this.#changed(held);
      return shown(held);
    });
  }

  /** @throws EndpointError ObjectNotFound, InvalidArgument (one's own), ResourceExists (decided already) */
  decide(
    requestId: string,
    decision: "approved" | "denied",
    comment: string,
    party: ElevationParty,
  ): Promise<Elevation> {
    return this.#inTurn(async () => {
      const held = this.#heldToDecide(requestId, party);
      const decided: Held = {
        ...held,
        state: decision,
        expiresAtMs: decision === "approved" ? this.#nowMs() + this.#options.times().approvalMs : held.expiresAtMs,
        decidedBy: party.connectedUser,
        comment,
      };
      await this.#record(decision, decided, party.origin);
      await this.#options.store.append(changeOf(decided));
      this.#held.set(requestId, decided);
      this.#changed(decided);
      return shown(decided);
    });
  }

  findToDecide(requestId: string, party: ElevationParty): Elevation {
    return shown(this.#heldToDecide(requestId, party));
  }

  own(party: ElevationParty): readonly Elevation[] {
    return this.#list(({ request }) => request.requester === party.connectedUser);
  }

  toDecide(party: ElevationParty): readonly Elevation[] {
    return this.#list((held) => held.state === "pending" && !isOwn(held, party));
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

  #list(wanted: (held: Held) => boolean): readonly Elevation[] {
    return [...this.#held.values()]
      .map((held): Held => ({ ...held, state: this.#stateNow(held) }))
      .filter(wanted)
      .map(shown)
      .toReversed();
  }

  #heldToDecide(requestId: string, party: ElevationParty): Held {
    const held = this.#held.get(requestId);
    if (held === undefined) throw notFound();
    if (isOwn(held, party)) {
      throw new EndpointError(
        "InvalidArgument",
        held.request.requester === party.connectedUser
          ? "This is your own request: another person must decide it."
          : "This request was made with the key that you are logged in with: another person must decide it.",
      );
    }
    const state = this.#stateNow(held);
    if (state !== "pending") throw new EndpointError("ResourceExists", `Request ${requestId} is ${state} already.`);
    return held;
  }

  #record(state: "requested" | Exclude<ElevationState, "pending">, held: Held, origin: Origin): Promise<void> {
    return this.#options.log.append(eventOf(state, held, origin));
  }

  #changed(held: Held): void {
    for (const listener of this.#listeners) listener(shown(held), held.request.keyFingerprint);
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
