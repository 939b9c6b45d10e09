import { isIPv6 } from "node:net";
import { addressGroup } from "./client-socket.ts";

/*
 * OpenSSH's PerSourcePenalties (srclimit.c, sshd_config(5)): a source that ends connections without a log-in earns
 * seconds, they add up, and from a minimum on its connections are closed at the door until they are over.
 * Kept for sources only, never for users: a penalty of a name could be earned for somebody else, from anywhere.
 */

/** Why a connection ended without a log-in; `refuseconnection`: with one that was of no use, as its user used a budget up. */
export type Offence = "authfail" | "noauth" | "grace-exceeded" | "violation" | "refuseconnection";

export interface PenaltySettings {
  readonly penaltyMs: Readonly<Record<Offence, number>>;
  /** The most that one source can have before it. */
  readonly maxMs: number;
  /** Less than this is remembered, not enforced. */
  readonly minMs: number;
  /** Sources remembered, IPv4 addresses and IPv6 networks apart: who owns many of the one must not push the other out. */
  readonly maxSources4: number;
  readonly maxSources6: number;
  /** With a full table: forget the penalties that end first, or let nobody in who is not exempt. */
  readonly overflow4: "permissive" | "deny-all";
  readonly overflow6: "permissive" | "deny-all";
  readonly isExempt: (address: string) => boolean;
}

/** OpenSSH's numbers, but for `refuseconnection`, 10 s there: who shares a source with such a user should notice little. Its `invaliduser` is missing on purpose: it would tell an unknown name from a known one. */
export const defaultPenalties: PenaltySettings = {
  penaltyMs: { authfail: 5_000, noauth: 1_000, "grace-exceeded": 10_000, violation: 90_000, refuseconnection: 1_000 },
  maxMs: 600_000,
  minMs: 15_000,
  maxSources4: 65_536,
  maxSources6: 65_536,
  overflow4: "permissive",
  overflow6: "permissive",
  isExempt: () => false,
};

interface Penalty {
  untilMs: number;
  enforced: boolean;
}

/** Guards that only an attack trips before log-in: an old or a broken client ends in others, as `noauth`. */
const violations: ReadonlySet<string> = new Set([
  "pre-authentication-message",
  "pre-authentication-bytes",
  "output-waiting",
  "rekey-flood",
  "identification-length",
]);
/** The server's own doing. */
const notTheirs: ReadonlySet<string> = new Set([
  "startups",
  "waiting-time",
  "connections",
  "connections-per-address",
  "penalty",
  "authentication-failure",
]);

/** What a connection that ended without a log-in is punished for. */
export const offenceOf = (droppedBy: string | undefined, failedLogin: boolean): Offence | undefined => {
  if (droppedBy !== undefined) {
    if (notTheirs.has(droppedBy)) return undefined;
    if (droppedBy === "login-grace" || droppedBy === "identification-time") return "grace-exceeded";
    if (violations.has(droppedBy)) return "violation";
  }
  return failedLogin ? "authfail" : "noauth";
};

/** One family's sources. */
class Sources {
  readonly #penalties = new Map<string, Penalty>();
  readonly #most: number;
  readonly #overflow: "permissive" | "deny-all";
  /** No penalty ends before. */
  #nextEndMs = Infinity;

  constructor(most: number, overflow: "permissive" | "deny-all") {
    this.#most = most;
    this.#overflow = overflow;
  }

  get size(): number {
    return this.#penalties.size;
  }

  mayConnect(source: string, nowMs: number): boolean {
    if (this.#overflow === "deny-all" && this.#penalties.size >= this.#most) {
      this.#forgetEnded(nowMs);
      if (this.#penalties.size >= this.#most) return false;
    }
    const penalty = this.#penalties.get(source);
    if (penalty === undefined) return true;
    if (penalty.untilMs > nowMs) return !penalty.enforced;
    this.#penalties.delete(source);
    return true;
  }

  /** @returns when the penalty ends, where it begins to be enforced with this one */
  add(source: string, ms: number, nowMs: number, { minMs, maxMs }: PenaltySettings): number | undefined {
    let penalty = this.#penalties.get(source);
    if (penalty === undefined || penalty.untilMs <= nowMs) {
      this.#penalties.delete(source);
      this.#makeRoom(nowMs);
      if (this.#penalties.size >= this.#most) return undefined; // deny-all: nobody comes in anyway
      penalty = { untilMs: nowMs, enforced: false };
      this.#penalties.set(source, penalty);
    }
    penalty.untilMs = Math.min(penalty.untilMs + ms, nowMs + maxMs);
    this.#nextEndMs = Math.min(this.#nextEndMs, penalty.untilMs);
    if (penalty.enforced || penalty.untilMs - nowMs <= minMs) return undefined;
    penalty.enforced = true;
    return penalty.untilMs;
  }

  #forgetEnded(nowMs: number): void {
    if (this.#nextEndMs > nowMs) return;
    this.#nextEndMs = Infinity;
    for (const [source, { untilMs }] of this.#penalties) {
      if (untilMs <= nowMs) this.#penalties.delete(source);
      else this.#nextEndMs = Math.min(this.#nextEndMs, untilMs);
    }
  }

  #makeRoom(nowMs: number): void {
    if (this.#penalties.size < this.#most) return;
    this.#forgetEnded(nowMs);
    if (this.#overflow === "deny-all" || this.#penalties.size < this.#most) return;
    // A sixteenth at a time: OpenSSH forgets one, out of a tree ordered by time; looking through 65,536 for each would be work to flood with.
    const soonest = [...this.#penalties].sort(([, a], [, b]) => a.untilMs - b.untilMs);
    for (const [source] of soonest.slice(0, Math.max(1, this.#most >> 4))) this.#penalties.delete(source);
  }
}

/** Remembers who ended connections without a log-in, and how long they stay out for it. */
export class Penalties {
  readonly #settings: PenaltySettings;
  readonly #nowMs: () => number;
  readonly #sources4: Sources;
  readonly #sources6: Sources;

  /** @param nowMs a monotonic clock: a change of the wall clock frees and locks nobody */
  constructor(settings: PenaltySettings, nowMs: () => number) {
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#sources4 = new Sources(settings.maxSources4, settings.overflow4);
    this.#sources6 = new Sources(settings.maxSources6, settings.overflow6);
  }

  /** Sources remembered. */
  get size(): number {
    return this.#sources4.size + this.#sources6.size;
  }

  mayConnect(address: string): boolean {
    return this.#settings.isExempt(address) || this.#of(address).mayConnect(addressGroup(address), this.#nowMs());
  }

  /** @returns for how long the source is kept out, where that begins now */
  penalise(address: string, offence: Offence): { readonly source: string; readonly forMs: number } | undefined {
    const ms = this.#settings.penaltyMs[offence];
    if (ms <= 0 || this.#settings.isExempt(address)) return undefined;
    const source = addressGroup(address);
    const nowMs = this.#nowMs();
    const untilMs = this.#of(address).add(source, ms, nowMs, this.#settings);
    return untilMs === undefined ? undefined : { source, forMs: untilMs - nowMs };
  }

  #of(address: string): Sources {
    return isIPv6(address) ? this.#sources6 : this.#sources4;
  }
}
