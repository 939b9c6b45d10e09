import { type AnswerPart, AnswerView } from "./answer-view.ts";
import { type Choice, newChoice, pressChoice, rowsSeen, viewChoice } from "./choice.ts";
import type { KeyEvent } from "./input/key-decoder.ts";
import type { Activity, Live, Size } from "./layout/live.ts";
import type { FromUi, ToUi } from "./protocol.ts";
import type { Line } from "./text/tones.ts";

type Send = (message: FromUi) => void;

/** An answer on its way: what its keys mean, and what it shows beside printed lines. */
export class RunningAnswer {
  readonly id: number;
  readonly #startedAt: number;
  readonly #send: Send;
  readonly #view = new AnswerView();
  /** `shown`: the pager waits for a key. `asked`: the next page is on its way. */
  #pager: "none" | "shown" | "asked" = "none";
  /** The answer is keys to choose from. */
  #choice: Choice | undefined;
  /** The server waits for one to be chosen. */
  #mayChoose = false;
  #stopping = false;

  constructor(id: number, startedAt: number, send: Send) {
    this.id = id;
    this.#startedAt = startedAt;
    this.#send = send;
  }

  activity(now: number, queued: number): Activity {
    if (this.#pager === "shown") return { kind: "page", queued };
    return { kind: "running", elapsedMs: now - this.#startedAt, stopping: this.#stopping, queued };
  }

  /** What stands in place of the prompt and the status. */
  live(size: Size): Live | undefined {
    return this.#choice && viewChoice(this.#choice, size);
  }

  /** @returns lines to print */
  take(part: AnswerPart, width: number): readonly Line[] {
    if (part.type === "error" || part.type === "end") this.#choice = undefined;
    // Stopped while this page was on its way: nobody is asked any more.
    if (part.type === "rows" && part.more) this.#pager = this.#stopping ? "asked" : "shown";
    return this.#view.lay(part, width);
  }

  offer(message: ToUi & { readonly type: "offer" | "choose" }): void {
    if (message.type === "choose") this.#mayChoose = true;
    else {
      const choice = this.#choice ?? newChoice(message.columns);
      this.#choice = { ...choice, rows: [...choice.rows, ...message.rows] };
    }
  }

  /** Nobody is there to choose. */
  leaveChoice(): void {
    if (!this.#mayChoose) return;
    this.#mayChoose = false;
    this.#send({ type: "chosen", id: this.id, row: null });
  }

  /** @returns whether the key was for this answer; if not, it is for the next line */
  press(event: KeyEvent, size: Size): boolean {
    if (this.#choice !== undefined) {
      // A pasted line end chooses nothing; pasted text narrows.
      if (event.type === "text" || !event.pasted) this.#choose(this.#choice, event, size);
      return true;
    }
    // Once an answer has shown a page, keys belong to the pager until it ends: a blank pressed twice must not end up
    // in the next command. A paste goes into the next line.
    if (this.#pager === "none" || event.pasted) return false;
    const keys = event.type === "text" ? Array.from(event.text) : [event.name];
    for (const key of keys) {
      if (key === "q" || key === "Q") this.stop();
      else if ((key === " " || key === "enter" || key === "page-down") && this.#pager === "shown") {
        this.#pager = "asked";
        this.#send({ type: "more", id: this.id });
      }
    }
    return true;
  }

  stop(): void {
    if (this.#pager === "shown") this.#pager = "asked";
    if (this.#stopping) return;
    this.#stopping = true;
    this.#send({ type: "stop", id: this.id });
  }

  /** A key that was pressed before the list was there, or while a key is shown, chooses nothing. */
  #choose(choice: Choice, event: KeyEvent, size: Size): void {
    if (!this.#mayChoose) return;
    const pressed = pressChoice(choice, event, rowsSeen(size));
    this.#choice = pressed.choice;
    if (pressed.chosen === undefined) return;
    this.#mayChoose = false;
    this.#send({ type: "chosen", id: this.id, row: pressed.chosen });
  }
}
