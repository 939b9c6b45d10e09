import type { TdsRequest } from "./rpc.ts";
import type { TlsIdentity } from "./tls.ts";
import type { ServerMessage } from "./tokens.ts";

/** `stall`: nothing more is read or answered. `drop`: the connection ends in order. `reset`: it is torn down (RST). */
export type Break = "stall" | "drop" | "reset";

/**
 * Where a connection can break: as soon as it is accepted, on PRELOGIN, before the handshake, on LOGIN7, on the SET statements
 * that drivers send after the login, on a request.
 */
export type Stage = "accept" | "prelogin" | "tls" | "login" | "settings" | "query";

/** What goes wrong with a request. */
export interface QueryFault {
  /** Only with these requests; every one unless given. */
  readonly when?: (request: TdsRequest) => boolean;
  /** After so many rows of the request. Absent: at once, and the answer is not asked for. */
  readonly afterRows?: number;
  /**
   * `wait`: no more is sent, but a cancel is answered. `unknown token`, `truncated row`: the driver can't read on.
   * Messages: error tokens, which end the request.
   */
  readonly does: Break | "wait" | "unknown token" | "truncated row" | readonly ServerMessage[];
}

/** What goes wrong with a connection. Nothing, unless given. Read anew at each stage, so it can change under way. */
export interface Faults {
  readonly at?: Partial<Record<Stage, Break>>;
  readonly query?: QueryFault;
  /** A cancel is never answered, and stops nothing. */
  readonly ignoreAttention?: boolean;
  /** Replies are written so many bytes at a time. */
  readonly bytesPerWrite?: number;
  /** PRELOGIN is answered with "encryption not supported", as someone in between would do who wants the password in clear. */
  readonly downgrade?: boolean;
  /** The first logins, over all connections, are refused with these errors: `times` counts from when the fault was set. */
  readonly refuseLogins?: { readonly times: number; readonly errors: readonly ServerMessage[] };
  /** Another certificate than the server's own. */
  readonly identity?: TlsIdentity;
}

/** The same for every connection, or chosen by the connection's number, from 1. */
export type FaultPlan = Faults | ((connection: number) => Faults);

/** The plan in force, and how many logins it has refused. */
export class FaultBook {
  #plan: FaultPlan;
  #refused = 0;

  constructor(plan: FaultPlan) {
    this.#plan = plan;
  }

  set(plan: FaultPlan): void {
    this.#plan = plan;
    this.#refused = 0;
  }

  of(connection: number): Faults {
    return typeof this.#plan === "function" ? this.#plan(connection) : this.#plan;
  }

  /** The errors that refuse this login, if the plan has refusals left. */
  takeRefusal(connection: number): readonly ServerMessage[] | undefined {
    const { refuseLogins } = this.of(connection);
    if (refuseLogins === undefined || this.#refused >= refuseLogins.times) return undefined;
    this.#refused += 1;
    return refuseLogins.errors;
  }
}
