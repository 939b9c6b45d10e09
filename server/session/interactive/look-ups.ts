import type { ToUi, UiCandidate } from "../../../ui/protocol.ts";
import { stopped } from "../../errors.ts";
import type { Answer, Delivery, DisclosedCell, Invoke } from "../delivery.ts";
import { boundaryLabel, label } from "./screen-text.ts";

/** As many as any role's rule lists. */
const mostCandidates = 100;

const columnOf = {
  computerName: "ComputerName",
  volumeType: "VolumeType",
  keyId: "PasswordId",
  updated: "LastUpdateTime",
  state: "State",
} as const satisfies Record<keyof UiCandidate, string>;

/** Where a look-up's answer goes. */
export interface LookUpAsker {
  readonly isAlive: boolean;
  send(message: ToUi): Promise<void>;
}

interface LookUpParts {
  readonly invoke: Invoke;
  /** Rejects when the signal aborts. Behind a lock nothing is looked up. */
  readonly unlocked: (signal: AbortSignal) => Promise<void>;
  /** Marks the end of a command in the transcript. */
  readonly mark: (label: string) => Promise<void>;
  readonly now: () => Date;
  readonly failed: (error: unknown) => void;
}

interface Asked {
  readonly piece: string;
  readonly asker: LookUpAsker;
}

const cellText = (cell: DisclosedCell | undefined): string =>
  cell === undefined || cell === null ? "" : label(String(cell));

const candidatesIn = async (answer: Answer): Promise<UiCandidate[]> => {
  if (answer.kind !== "rows") throw new TypeError(`a search answered ${answer.kind}`);
  const names = answer.columns.map(({ name }) => name);
  const candidates: UiCandidate[] = [];
  for await (const batch of answer.batches)
    for (const row of batch) {
      const cell = (field: keyof UiCandidate): string => cellText(row[names.indexOf(columnOf[field])]);
      candidates.push({
        computerName: cell("computerName"),
        volumeType: cell("volumeType"),
        keyId: cell("keyId"),
        updated: cell("updated"),
        state: cell("state"),
      });
    }
  return candidates;
};

/** A search asks nobody anything, and shows no key. */
const collecting = (rows: UiCandidate[], notes: string[]): Delivery => ({
  how: "interactive",
  batchRows: () => mostCandidates,
  reveal: () => {
    throw new TypeError("a search opened a key");
  },
  confirmBulk: async () => false,
  confirm: async () => false,
  tell: async (text) => void notes.push(text),
  askPassword: () => Promise.reject(stopped()),
  show: async (answer) => {
    rows.push(...(await candidatesIn(answer)));
    return {};
  },
});

/**
 * The questions of a look-up, one at a time, the newest next. Each is a line as a person would type it, so that its record, its limits and
 * its refusals are those of every line.
 */
export class LookUps {
  readonly #parts: LookUpParts;
  #next: Asked | undefined;
  #controller = new AbortController();
  #ended: Promise<void> | undefined;

  constructor(parts: LookUpParts) {
    this.#parts = parts;
  }

  /** A newer question ends an older one. */
  ask(piece: string, asker: LookUpAsker): void {
    this.#controller.abort(stopped());
    this.#next = { piece, asker };
    this.#ended ??= this.#answerAll();
  }

  /** Resolves when none runs. */
  async idle(): Promise<void> {
    await this.#ended;
  }

  async stop(): Promise<void> {
    this.#next = undefined;
    this.#controller.abort(stopped());
    await this.idle();
  }

  async #answerAll(): Promise<void> {
    try {
      await Promise.resolve(); // first what is asked together: only the last of it counts
      while (this.#next !== undefined) {
        const asked = this.#next;
        this.#next = undefined;
        this.#controller = new AbortController();
        await this.#answer(asked, this.#controller.signal);
      }
    } catch (error) {
      this.#parts.failed(error);
    } finally {
      this.#ended = undefined;
    }
  }

  async #answer({ piece, asker }: Asked, signal: AbortSignal): Promise<void> {
    const { invoke, unlocked, mark, now } = this.#parts;
    try {
      await unlocked(signal);
    } catch {
      return; // nothing was asked yet
    }
    const rows: UiCandidate[] = [];
    const notes: string[] = [];
    // A piece holds no quote.
    const outcome = await invoke(`Get-RecoveryKeys -Search '${piece}'`, collecting(rows, notes), signal);
    await mark(boundaryLabel(outcome));
    if (signal.aborted || !asker.isAlive) return;
    const { failure } = outcome;
    // That nothing is there is an answer, and the screen has words for it.
    const message =
      failure === undefined ? notes.join(" ") : failure.category === "ObjectNotFound" ? "" : failure.message;
    await asker.send({
      type: "candidates",
      piece,
      at: now().toISOString(),
      rows: failure === undefined ? rows : [],
      message: label(message),
    });
  }
}
