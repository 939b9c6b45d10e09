import { EndpointError } from "../errors.ts";
import type { AuditEvent, EventLog } from "./event.ts";
import type { Runtime } from "../runtime.ts";

/** `low`: no new sessions. `exhausted`: running ones end too, as what they do could not be recorded. */
type StorageState = "sufficient" | "low" | "exhausted";

type StorageEvent = Extract<AuditEvent, { type: "storage" }>;

export interface StorageLadderOptions {
  /** Free space that is kept for the record: below it no session starts, below half of it none goes on. */
  readonly reserveBytes: number;
  /** What statfs(2) says of the record's file system. Throws when it can't be told. */
  readonly freeBytes: () => number;
  readonly log: EventLog;
  readonly runtime: Pick<Runtime, "now" | "report">;
  /** There is enough again: what was given up can be made anew. */
  readonly onSufficient: () => void;
}

export interface StorageLadder {
  /** Looks at the disk. One statfs(2) costs microseconds, so each session's start asks anew. */
  look(): StorageState;
  /** Aborts once running sessions must end; its reason is an EndpointError for their users. A new one after recovery. */
  readonly exhausted: AbortSignal;
  close(): void;
}

const lookEveryMs = 1_000;
/** Climbing back needs this much more than falling did: space that comes and goes must not flood the log. */
const hysteresis = 1.1;
/** Changes that could not be recorded yet; older ones are left out. */
const mostPending = 32;

const stateFor = (free: number, reserve: number, now: StorageState): StorageState => {
  const half = reserve / 2;
  if (free < (now === "exhausted" ? half * hysteresis : half)) return "exhausted";
  return free < (now === "sufficient" ? reserve : reserve * hysteresis) ? "low" : "sufficient";
};

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;

const consequence: Record<StorageState, string> = {
  sufficient: "sessions start again",
  low: "no session starts until there is more",
  exhausted: "running sessions were ended and none starts",
};

const outOfSpace = (): EndpointError =>
  new EndpointError(
    "AuditUnavailable",
    "There is too little space left for the record, so the session was ended. Tell your administrator.",
  );

/** Watches the space that the record has left, and says on the record what follows from it. */
class Ladder implements StorageLadder {
  readonly #options: StorageLadderOptions;
  readonly #timer: NodeJS.Timeout;
  #state: StorageState = "sufficient";
  #controller = new AbortController();
  /** Changes not on the record yet, oldest first. */
  #pending: StorageEvent[] = [];
  #recording = false;
  #unreadable = false;

  constructor(options: StorageLadderOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), lookEveryMs);
    this.#timer.unref();
  }

  get exhausted(): AbortSignal {
    return this.#controller.signal;
  }

  look(): StorageState {
    const free = this.#free();
    const { reserveBytes } = this.#options;
    // Where it can't be told nothing new begins; what runs goes on, for each of its events says whether it was recorded.
    const state = free === undefined ? "low" : stateFor(free, reserveBytes, this.#state);
    if (state !== this.#state && !(free === undefined && this.#state === "exhausted")) this.#change(state, free);
    this.#record();
    return this.#state;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #free(): number | undefined {
    try {
      const free = this.#options.freeBytes();
      this.#unreadable = false;
      return free;
    } catch (error) {
      if (!this.#unreadable) this.#options.runtime.report(`the record's free space can't be read: ${String(error)}`);
      this.#unreadable = true;
      return undefined;
    }
  }

  #change(state: StorageState, free: number | undefined): void {
    const { reserveBytes, onSufficient } = this.#options;
    const { now, report } = this.#options.runtime;
    const before = this.#state;
    this.#state = state;
    const is = free === undefined ? "can't be read" : `is ${mebibytes(free)}`;
    report(`the record's free space ${is}, its reserve ${mebibytes(reserveBytes)}: ${consequence[state]}`);
    this.#pending.push({
      type: "storage",
      state,
      since: now().toISOString(),
      ...(free === undefined ? {} : { freeBytes: free }),
      reserveBytes,
    });
    if (this.#pending.length > mostPending) this.#pending.shift();
    if (before === "exhausted") this.#controller = new AbortController();
    if (state === "exhausted") this.#controller.abort(outOfSpace());
    if (state === "sufficient") onSufficient();
  }

  /** What a full disk refuses is tried again at the next look. */
  #record(): void {
    if (this.#recording || this.#pending.length === 0) return;
    this.#recording = true;
    const recordAll = async (): Promise<void> => {
      for (let event = this.#pending[0]; event !== undefined; event = this.#pending[0]) {
        await this.#options.log.append(event);
        if (this.#pending[0] === event) this.#pending.shift();
      }
    };
    recordAll()
      .catch(() => undefined) // said on standard error when it changed
      .finally(() => {
        this.#recording = false;
      });
  }
}

export const watchStorage = (options: StorageLadderOptions): StorageLadder => new Ladder(options);
