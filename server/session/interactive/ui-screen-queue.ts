import { frameKind, type Frame } from "../../../ui/protocol.ts";
import { decodeScreenMessage, type ScreenMessage } from "./from-ui.ts";

/** Why a UI process is gone. */
export interface UiProcessEnd {
  readonly cause: "closed" | "exited" | "not-started" | "silent" | "memory" | "breach";
  /** For the operator's log: never a text that the UI process chose. */
  readonly detail: string;
}

/** What a screen's owner gets from the UI process, in order, the next when the promise resolves. Must not reject. */
export interface UiScreenListener {
  terminal(bytes: Uint8Array): Promise<void>;
  message(message: ScreenMessage): Promise<void> | void;
  /**
   * A `stop` was read. Called at once, besides `message` in its turn: Ctrl-C must not wait behind the very output that
   * a slow client has not read yet.
   */
  stopRead(id: number): void;
  /** Last of all; whatever came before was delivered, unless the process broke the protocol. */
  gone(end: UiProcessEnd): void;
}

/** Above this much undelivered output the process's pipe is not read. */
const highWater = 256 * 1024;
/** More than this painted while the server has the terminal ends the process. */
const heldLimit = 64 * 1024;
/** What a frame costs besides its payload, so that empty frames don't queue for nothing. */
const frameOverhead = 64;

interface Queued {
  readonly cost: number;
  readonly content: Uint8Array | ScreenMessage;
}

/** What one screen sent that is not delivered yet. */
export class UiScreenQueue {
  readonly #listener: UiScreenListener;
  readonly #breach: (detail: string) => void;
  readonly #drained: () => void;
  readonly #queued: Queued[] = [];
  #cost = 0;
  /** What came since `hold`; undefined while nothing is held. */
  #heldCost: number | undefined;
  #delivering = false;
  #end: UiProcessEnd | undefined;
  #closed = false;

  /** @param drained called when the queue may have room again */
  constructor(listener: UiScreenListener, breach: (detail: string) => void, drained: () => void) {
    this.#listener = listener;
    this.#breach = breach;
    this.#drained = drained;
  }

  get isFull(): boolean {
    return this.#cost > highWater;
  }

  push({ kind, payload }: Frame): void {
    if (this.#closed || this.#end !== undefined) return;
    let content: Queued["content"] = payload;
    if (kind === frameKind.message) {
      try {
        content = decodeScreenMessage(payload);
      } catch {
        this.#breach("undecodable message");
        return;
      }
      if (content.type === "stop") this.#listener.stopRead(content.id);
    }
    const cost = payload.length + frameOverhead;
    this.#queued.push({ cost, content });
    this.#cost += cost;
    if (this.#heldCost !== undefined) {
      this.#heldCost += cost;
      if (this.#heldCost > heldLimit) this.#breach("painted while suspended");
    }
    this.#deliver();
  }

  /** Delivers no terminal bytes, and nothing after them, until `release`. */
  hold(): void {
    this.#heldCost ??= 0;
  }

  release(): void {
    this.#heldCost = undefined;
    this.#deliver();
  }

  /** Nothing more is delivered. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  /** The process is gone. After a breach nothing it sent counts any more. */
  end(end: UiProcessEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    if (end.cause === "breach") this.#drop();
    this.#deliver();
  }

  #drop(): void {
    this.#queued.length = 0;
    this.#cost = 0;
    this.#drained();
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    void this.#deliverAll();
  }

  async #deliverAll(): Promise<void> {
    try {
      for (;;) {
        const next = this.#queued[0];
        if (this.#closed) return;
        if (next === undefined) {
          if (this.#end === undefined) return;
          this.#closed = true;
          this.#listener.gone(this.#end);
          return;
        }
        if (next.content instanceof Uint8Array && this.#heldCost !== undefined) return;
        this.#queued.shift();
        this.#cost -= next.cost;
        if (next.content instanceof Uint8Array) await this.#listener.terminal(next.content);
        else await this.#listener.message(next.content);
        if (!this.isFull) this.#drained();
      }
    } finally {
      this.#delivering = false;
    }
  }
}
