/** How a session ended: by itself, with the server that had it, or not yet. */
export type SessionEnding = "Ended" | "Aborted" | "Running";

/** How something in a session ended, or that it did not. */
export type SessionOutcome = "Succeeded" | "Failed" | "Stopped" | "Refused" | Exclude<SessionEnding, "Ended">;

/** Which sessions. */
export interface SessionQuery {
  readonly user?: string;
  /** Sessions that were under way at that time or later. */
  readonly since?: Date;
  /** Sessions that began before that time. */
  readonly until?: Date;
  readonly command?: string;
  /** A key id or the beginning of one. */
  readonly keyId?: string;
  readonly computerName?: string;
  /** Any of them. */
  readonly outcomes?: readonly SessionOutcome[];
}

export interface ReviewedSession {
  /** Which one it is of those that were read, by their start. */
  readonly place: number;
  readonly sessionId: string;
  readonly connectedUser: string;
  readonly clientAddress: string;
  readonly mode: string;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
  readonly exitStatus: number | undefined;
  readonly ending: SessionEnding;
  /** Why it ended, in words; empty where the record says none. */
  readonly reason: string;
  readonly commands: number;
  readonly refusals: number;
  readonly keys: number;
  /** Keys disclosed, by day (UTC). */
  readonly keysByDay: readonly (readonly [day: string, keys: number])[];
}

export interface EventQuery {
  readonly sessionId?: string;
  readonly types?: readonly string[];
  /** Proved, only claimed, or of the machine itself. */
  readonly user?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly first?: number;
  readonly last?: number;
  /** Goes on with what becomes durable from now on; what was before is shown only where `since` or `last` asks for it. */
  readonly follow: boolean;
}

export interface ReviewedEvent {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly user: string;
  readonly sessionId: string;
  /** What else the event has. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What checking the record found. */
export interface RecordFindings {
  /** What is wrong; empty when the record holds. */
  readonly problems: readonly string[];
  /** What is worth knowing and no sign of tampering. */
  readonly notices: readonly string[];
  /** What the answer is worth, in words. */
  readonly claims: readonly string[];
  readonly events: number;
}

/**
 * The record, as an auditor's commands read it. Each call is itself put on the record first, and rejects with
 * `AuditUnavailable` where it can't be: then nothing was read. The rest comes while it is iterated.
 */
export interface ReviewPort {
  /** In the order in which they ended; those that still run come last. */
  sessions(query: SessionQuery): Promise<AsyncIterable<readonly ReviewedSession[]>>;
  /** @throws EndpointError InvalidArgument where there is no such type of event */
  events(query: EventQuery): Promise<AsyncIterable<readonly ReviewedEvent[]>>;
  /** @param sinceCheckpoint a signed note that was kept elsewhere */
  verify(
    sinceCheckpoint: string | undefined,
    onProgress: (checked: number, of: number) => void,
  ): Promise<RecordFindings>;
  /** A tar archive of the record as its newest checkpoint signs it: `pep audit verify` takes it. */
  exportRecord(): Promise<AsyncIterable<Uint8Array>>;
}

/** The user who reviews, for the record. */
export interface Reviewer {
  readonly connectionId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly clientAddress?: string | undefined;
  readonly connectedUser: string;
}
