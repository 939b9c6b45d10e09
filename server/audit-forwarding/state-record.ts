import type { AuditEvent } from "../audit/event.ts";

type ForwardingEvent = Extract<AuditEvent, { type: "forwarding" }>;
type State = ForwardingEvent["state"];

export interface Found {
  readonly state: State;
  readonly reason?: string;
}

export interface StateRecordOptions {
  readonly uptimeMs: () => number;
  /** Puts a change on the record and tells the operator. */
  readonly record: (found: Found) => void;
  /** Between two records at first, and after many. */
  readonly quietMs?: { readonly shortest: number; readonly longest: number };
}

const defaultQuietMs = { shortest: 5000, longest: 15 * 60 * 1000 };

/**
 * Says when forwarding changed its state, and only then. A receiver that comes and goes must not fill the log, whose events it
 * is sent: a pause follows each record, twice as long each time, until a state has lasted; what happens in a pause is told
 * at its end, if it is still so.
 */
export class StateRecord {
  readonly #options: StateRecordOptions;
  readonly #quiet: { readonly shortest: number; readonly longest: number };
  #recorded: State | undefined;
  #latest: Found | undefined;
  #pauseMs: number;
  #recordedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StateRecordOptions) {
    this.#options = options;
    this.#quiet = options.quietMs ?? defaultQuietMs;
    this.#pauseMs = this.#quiet.shortest;
  }

  see(found: Found): void {
    this.#latest = found;
    if (this.#closed || this.#timer !== undefined || found.state === this.#recorded) return;
    const waitMs = this.#recordedAtMs + this.#pauseMs - this.#options.uptimeMs();
    if (waitMs > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (this.#latest !== undefined) this.see(this.#latest);
      }, waitMs);
      this.#timer.unref();
      return;
    }
    // It lasted much longer than the pause: begin with short pauses again.
    this.#pauseMs =
      -waitMs > 4 * this.#pauseMs ? this.#quiet.shortest : Math.min(this.#pauseMs * 2, this.#quiet.longest);
    this.#recordedAtMs = this.#options.uptimeMs();
    this.#recorded = found.state;
    this.#options.record(found);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
