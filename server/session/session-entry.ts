import type { EventLog, Origin } from "../audit/event.ts";
import type { RecordBudget } from "../audit/record-budget.ts";
import type { RequestRefusal } from "../audit/refusal-reasons.ts";
import type { StorageLadder } from "../audit/storage-ladder.ts";
import { EndpointError } from "../errors.ts";
import { identitiesOf } from "../identity/party.ts";
import type { SessionRequest } from "./contract.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";

export interface EntryDependencies {
  readonly log: EventLog;
  /** The space that is left for the record. */
  readonly storage: Pick<StorageLadder, "look" | "exhausted">;
  /** What is wrong with the record, in words. */
  readonly recordProblems: () => readonly string[];
  readonly budget: RecordBudget;
}

type Asking = Pick<SessionRequest, "kind">;

/** Refuses sessions before they begin: for the record's sake, or because their user has too many. */
export class SessionEntry {
  readonly #dependencies: EntryDependencies;
  readonly #most: () => number;
  /** Identity → sessions. */
  readonly #sessionsOf = new Map<string, number>();

  /** @param most sessions of one user at a time */
  constructor(dependencies: EntryDependencies, most: () => number) {
    this.#dependencies = dependencies;
    this.#most = most;
  }

  /** @throws EndpointError AuditUnavailable while the record can't take another session; LimitsExceeded once this user put too much on it */
  async judge(connection: AuthenticatedConnection, request: Asking): Promise<void> {
    await this.#refuseWithoutSpace(connection, request);
    await this.#refuseOnDamagedRecord(connection, request);
    await this.#refuseOverBudget(connection, request);
  }

  /** A session too many is refused, on the record, and never begins. @throws EndpointError LimitsExceeded */
  async whileCounted(connection: AuthenticatedConnection, session: () => Promise<void>): Promise<void> {
    const counts = this.#sessionsOf;
    const identities = identitiesOf(connection);
    const others = Math.max(...identities.map((identity) => counts.get(identity) ?? 0));
    const most = this.#most();
    if (others >= most) {
      await this.#record(connection, "session", "too many sessions", `sessionsPerUser: ${most}`);
      throw new EndpointError(
        "LimitsExceeded",
        `You have ${others} sessions, and ${most} is the most a user has at a time (sessionsPerUser). End one first.`,
      );
    }
    for (const identity of identities) counts.set(identity, (counts.get(identity) ?? 0) + 1);
    try {
      await session();
    } finally {
      for (const identity of identities) {
        const left = (counts.get(identity) ?? 1) - 1;
        if (left === 0) counts.delete(identity);
        else counts.set(identity, left);
      }
    }
  }

  async #refuseWithoutSpace(connection: AuthenticatedConnection, { kind }: Asking): Promise<void> {
    const state = this.#dependencies.storage.look();
    if (state === "sufficient") return;
    const detail = "There is too little space left for the record, so no session starts. Tell your administrator.";
    // The disk is full: what is refused needs no record to be refused.
    await this.#record(connection, kind, "storage", detail).catch(() => undefined);
    throw new EndpointError("AuditUnavailable", detail, { cause: new Error(`space ${state}`) });
  }

  async #refuseOnDamagedRecord(connection: AuthenticatedConnection, { kind }: Asking): Promise<void> {
    const [problem] = this.#dependencies.recordProblems();
    if (problem === undefined) return;
    const detail = "The record does not hold, so no session starts. Tell your administrator.";
    await this.#record(connection, kind, "record damaged", detail);
    throw new EndpointError("AuditUnavailable", detail, { cause: new Error(problem) });
  }

  async #refuseOverBudget(connection: AuthenticatedConnection, { kind }: Asking): Promise<void> {
    const usedUp = this.#dependencies.budget.usedUp(connection);
    if (usedUp === undefined) return;
    await this.#record(connection, kind, "record budget", usedUp.message);
    throw usedUp;
  }

  #record(
    { connectionId, clientAddress, connectedUser }: AuthenticatedConnection,
    request: string,
    reason: RequestRefusal,
    detail: string,
  ): Promise<void> {
    const origin: Origin = { connectionId, clientAddress, connectedUser };
    return this.#dependencies.log.append({ type: "request-refused", ...origin, request, reason, detail });
  }
}
