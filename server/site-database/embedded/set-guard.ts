import type { DatabaseSync } from "node:sqlite";
import type { SiteState } from "../../audit/site-events.ts";
import { decodeInteger } from "./columns.ts";
import { prepareArrays, withLockPatience } from "./connection.ts";
import type { SetExamined } from "./examine-set.ts";
import { throwIfStopped, UnreadableCell } from "./failures.ts";
import { judgeRows, judgeSet, refusedSite } from "./judge-set.ts";
import type { SetRefusal, SetVerdict } from "./judge-set.ts";
import { prepareSealed } from "./row-set.ts";
import type { RowSet } from "./row-set.ts";

/** The record of the process that writes it, as far as the site database needs it. */
export interface SiteRecord {
  /** The newest state that it knows; the same object until another is. */
  readonly newest: () => SiteState | undefined;
  readonly written: (state: SiteState) => Promise<void>;
  readonly refused: (refusal: SetRefusal) => Promise<void>;
}

interface GuardParts {
  readonly database: DatabaseSync;
  readonly set: RowSet;
  readonly record: SiteRecord;
  readonly lockWaitMs: number;
  /** Looks at every row, aside. */
  readonly examine: (rows: number, signal: AbortSignal) => Promise<SetExamined>;
}

/** Examining every row again takes at most a tenth of a processor, however often others write into the file. */
const pauseFactor = 9;
const leastPauseMs = 1000;

const isSame = (one: unknown, other: unknown): boolean =>
  one instanceof Uint8Array && other instanceof Uint8Array && Buffer.compare(one, other) === 0;

/**
 * Lets keys be read only while the rows are those that the record knows. What seals them is held against the record at each answer, which
 * costs two short queries. Whether the rows are those that were sealed takes all of them: it is looked at before the first answer, and again
 * when somebody else wrote into the file.
 */
export class SetGuard {
  readonly #parts: GuardParts;
  readonly #readSealed: () => unknown;
  readonly #readVersion: () => number;
  readonly #closed = new AbortController();
  #judged:
    | { readonly sealed: unknown; readonly recorded: SiteState | undefined; readonly verdict: SetVerdict }
    | undefined;
  #version = -1;
  #rowsRefusal: SetRefusal | undefined;
  #examined = false;
  #examining: Promise<void> | undefined;
  #again: NodeJS.Timeout | undefined;
  #notBefore = 0;
  #due = false;
  #recording: Promise<void> | undefined;
  readonly #told = new Set<string>();

  constructor(parts: GuardParts) {
    this.#parts = parts;
    this.#readSealed = prepareSealed(parts.database);
    const version = prepareArrays(parts.database, "PRAGMA data_version");
    this.#readVersion = () => decodeInteger(version()[0]?.[0], "data_version");
  }

  /** The first look. A state that is not on the record yet is, when this resolves, or whoever asks for a key tries again. */
  async open(): Promise<void> {
    await withLockPatience({ signal: this.#closed.signal, lockWaitMs: this.#parts.lockWaitMs }, () => this.#look());
    this.#examine().catch(() => undefined); // whoever asks for a key hears of it
    await this.#recording?.catch(() => undefined);
  }

  /** Before an answer: every row has been looked at, once and whenever it was tried again. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#examined) return;
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    await Promise.race([this.#examine(), stopped]);
    throwIfStopped(signal);
  }

  /** Before each batch of an answer. @throws EndpointError ResourceUnavailable when the rows are not those of the record */
  check(): void {
    const verdict = this.#look();
    const refusal = verdict.kind === "refused" ? verdict.refusal : this.#rowsRefusal;
    if (refusal !== undefined) throw refusedSite(refusal);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#again);
    await this.#examining?.catch(() => undefined);
    await this.#recording?.catch(() => undefined);
  }

  /** About how many there are. */
  get #rows(): number {
    const state = this.#parts.set.open(this.#judged?.sealed);
    return state === undefined ? 0 : state.keys + state.links;
  }

  #look(): SetVerdict {
    const { set, record } = this.#parts;
    const recorded = record.newest();
    const sealed = this.#readSealed();
    const before = this.#judged;
    const verdict =
      before !== undefined && before.recorded === recorded && isSame(before.sealed, sealed)
        ? before.verdict
        : judgeSet(set, sealed, recorded);
    this.#judged = { sealed, recorded, verdict };
    if (verdict.kind === "next")
      this.#recording ??= record.written(verdict.shown).finally(() => {
        this.#recording = undefined;
      });
    this.#recording?.catch(() => undefined); // tried again at the next look
    if (verdict.kind === "refused") this.#tell(verdict.refusal);
    const version = this.#readVersion();
    if (version !== this.#version && this.#version !== -1) this.#due = true;
    this.#version = version;
    this.#examineWhenDue();
    return verdict;
  }

  /** Puts on the record what was found, once. */
  #tell(refusal: SetRefusal): void {
    const text = JSON.stringify(refusal);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#parts.record.refused(refusal).catch(() => this.#told.delete(text));
  }

  /** Looks at every row again, when it is due and time. */
  #examineWhenDue(): void {
    if (!this.#due || this.#again !== undefined || this.#examining !== undefined || this.#closed.signal.aborted) return;
    this.#again = setTimeout(
      () => {
        this.#again = undefined;
        this.#examine().catch(() => undefined); // tried again at the next look
      },
      Math.max(0, this.#notBefore - performance.now()),
    ).unref();
  }

  #examine(): Promise<void> {
    this.#examining ??= this.#examineAll().finally(() => {
      this.#examining = undefined;
    });
    return this.#examining;
  }

  async #examineAll(): Promise<void> {
    const { examine, record, set } = this.#parts;
    const begun = performance.now();
    this.#due = false;
    try {
      this.#rowsRefusal = judgeRows(set, await examine(this.#rows, this.#closed.signal), record.newest());
    } catch (error) {
      if (!(error instanceof UnreadableCell)) {
        // Not found to be wrong, but not looked at either: the next answer waits until they are.
        this.#examined = false;
        this.#due = true;
        throw error;
      }
      const recorded = record.newest();
      this.#rowsRefusal = { reason: "rows", ...(recorded === undefined ? {} : { recorded }), detail: error.message };
    } finally {
      const now = performance.now();
      this.#notBefore = now + Math.max(leastPauseMs, (now - begun) * pauseFactor);
    }
    this.#examined = true;
    if (this.#rowsRefusal !== undefined) this.#tell(this.#rowsRefusal);
  }
}
