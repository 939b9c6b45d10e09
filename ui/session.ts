import type { Clock } from "./clock.ts";
import { complete } from "./language/complete.ts";
import { lookUpRights } from "./language/hint.ts";
import { createKeyDecoder, type KeyEvent } from "./input/key-decoder.ts";
import { remember } from "./input/history.ts";
import { type Edited, edit, type Editor, emptyEditor } from "./input/line-editor.ts";
import type { AnswerPart } from "./answer-view.ts";
import { layNotice, layText } from "./layout/answer.ts";
import { mostWaiting, WaitingLines } from "./input/waiting-lines.ts";
import { type Activity, echoLine, type Prompt, type Size, viewLive } from "./layout/live.ts";
import { LookUp } from "./look-up/look-up.ts";
import type { FromUi, ToUi, UiCommand } from "./protocol.ts";
import type { Painter } from "./screen/painter.tsx";
import { RunningAnswer } from "./running-answer.ts";
import type { Line } from "./text/tones.ts";
import { Transcript } from "./transcript.ts";

export interface SessionParts {
  readonly painter: Painter;
  readonly send: (message: FromUi) => void;
  readonly clock: Clock;
  readonly size: () => Size;
}

/** Lines typed ahead; more are dropped, with a word about it. */
const maximumQueued = 200;
/** A terminal sends the bytes of one key together; a lone ESC is the key itself after this long. */
const escapeDelayMs = 100;
const tickMs = 250;

/**
 * One terminal session: keys in, one line at a time to the server, answers painted.
 * All state is here and in the pure editor, none in React.
 */
export class Session {
  readonly #parts: SessionParts;
  readonly #prompt: Prompt;
  readonly #keys = createKeyDecoder();
  readonly #queue: string[] = [];
  readonly #waiting = new WaitingLines();
  /** Too many lines were typed ahead, and the user knows. */
  #dropping = false;
  #commands: readonly UiCommand[];
  #editor: Editor = emptyEditor;
  #answer: RunningAnswer | undefined;
  /** The answer is one, and is being watched. */
  #transcript: Transcript | undefined;
  readonly #lookUp: LookUp;
  #lastId = 0;
  /** Printed above the live part with the next paint. */
  #lines: Line[] = [];
  /** The answer whose glyphs are free once `#lines` is painted. */
  #releasing: number | undefined;
  #clearing: "screen" | "scrollback" | undefined;
  #suspended = false;
  /** The client's input is over: when every line has its answer, so is the session. */
  #inputOver = false;
  #left = false;
  #closed = false;
  #escapeTimer: { cancel(): void } | undefined;
  #tickTimer: { cancel(): void } | undefined;

  constructor(open: ToUi & { readonly type: "open" }, parts: SessionParts) {
    this.#parts = parts;
    this.#prompt = { connectedUser: open.connectedUser, endpointName: open.endpointName };
    this.#commands = open.commands;
    this.#lookUp = new LookUp({
      ...parts,
      commands: () => this.#commands,
      onChange: () => this.paint(),
      onLine: (line, fromPrompt) => {
        // As if it had been typed: it can be had again, and learnt.
        const history = remember(this.#editor.history, line);
        this.#editor = fromPrompt ? { ...emptyEditor, history } : { ...this.#editor, history };
        this.#submit(line);
      },
    });
    if (open.welcome !== "") this.#lines.push(...layText(open.welcome, parts.size().columns));
    if (lookUpRights(open.commands) !== undefined)
      this.#lines.push(...layText("F2 looks a key up by id or computer name.", parts.size().columns, "quiet"));
  }

  /** Bytes of the terminal. */
  receiveBytes(bytes: Uint8Array): void {
    // While suspended the server reads the keyboard itself; what still comes through was typed before and is not ours.
    if (this.#suspended || this.#left) return;
    this.#escapeTimer?.cancel();
    for (const event of this.#keys.push(bytes, this.#waiting.count > 0)) this.#press(event);
    if (this.#waiting.takeDropped()) {
      this.#lines.push(...layNotice(`More than ${mostWaiting} lines pasted: the rest is dropped.`, this.#width));
    }
    if (!this.#keys.pending) return;
    this.#escapeTimer = this.#parts.clock.after(escapeDelayMs, () => {
      for (const event of this.#keys.flush()) this.#press(event);
      this.paint();
    });
  }

  receive(message: Exclude<ToUi, { readonly type: "open" | "ping" | "close" }>): void {
    switch (message.type) {
      case "resize":
        this.#parts.painter.resize({ columns: message.columns, rows: message.rows });
        return;
      case "commands":
        this.#commands = message.commands;
        return;
      case "suspend":
        this.#transcript?.pause();
        this.paint();
        this.#suspended = true;
        // What stands behind a question in the same paste goes nowhere: it may be a password.
        this.#waiting.clear();
        this.#lookUp.close();
        this.#escapeTimer?.cancel();
        this.#keys.flush();
        this.#parts.painter.suspend();
        this.#parts.send({ type: "suspended" });
        return;
      case "resume":
        if (!this.#suspended) return;
        this.#suspended = false;
        this.#parts.painter.resume();
        return;
      case "input-over":
        this.#lookUp.close();
        this.#runWaiting();
        return;
      case "candidates":
        this.#lookUp.receive(message);
        return;
      case "notice":
        this.#lines.push(...layNotice(message.text, this.#width));
        return;
      case "transcript":
        this.#transcript?.close();
        this.#transcript = new Transcript(message, { ...this.#parts, onChange: () => this.paint() });
        return;
      case "piece":
        this.#transcript?.receive(message);
        return;
      case "offer":
      case "choose":
        if (message.id === this.#answer?.id) this.#answer.offer(message);
        if (this.#inputOver) this.#answer?.leaveChoice();
        return;
      case "table":
      case "rows":
      case "text":
      case "error":
      case "end":
        this.#receivePart(message);
        return;
      default:
        message satisfies never;
    }
  }

  /** Puts on the screen what changed since the last time. Called once for all that arrived together. */
  paint(): void {
    if (this.#suspended || this.#closed) return;
    const { painter, send, size } = this.#parts;
    const view = {
      activity: this.#activity,
      editor: this.#editor,
      prompt: this.#prompt,
      commands: this.#commands,
      waiting: this.#waiting.count,
    };
    const lines = this.#lines;
    const releasing = this.#releasing;
    this.#lines = [];
    this.#releasing = undefined;
    const answer = this.#left ? undefined : this.#answer?.live(size());
    const mode = this.#transcript?.view(size()) ?? answer ?? this.#lookUp.view(size());
    painter.paint(lines, mode ?? viewLive(view, size()));
    if (this.#clearing !== undefined) painter.clear(this.#clearing === "scrollback");
    this.#clearing = undefined;
    if (releasing !== undefined) send({ type: "released", id: releasing });
  }

  close(): void {
    if (this.#closed) return;
    this.#left = true;
    this.#lookUp.close();
    this.paint();
    this.#closed = true;
    this.#transcript?.close();
    this.#escapeTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#parts.painter.close();
  }

  get #width(): number {
    return this.#parts.size().columns;
  }

  get #activity(): Activity {
    if (this.#left) return { kind: "left" };
    if (this.#answer === undefined) return { kind: "prompt" };
    return this.#answer.activity(this.#parts.clock.now(), this.#queue.length);
  }

  #press(event: KeyEvent): void {
    if (this.#transcript !== undefined) {
      this.#transcript.press(event);
      return;
    }
    if (this.#lookUp.press(event)) return;
    const isInterrupt = event.type === "key" && event.ctrl && event.name === "c";
    if (this.#answer !== undefined && isInterrupt) {
      this.#queue.length = 0;
      this.#waiting.clear();
      this.#editor = { ...emptyEditor, history: this.#editor.history, killed: this.#editor.killed };
      this.#answer.stop();
      return;
    }
    if (this.#answer?.press(event, this.#parts.size()) === true) return;
    if (event.pasted && this.#paste(event)) return;
    if (event.type === "key" && event.name === "f2") {
      // Pasted lines that wait belong to the prompt: they come first.
      if (this.#answer !== undefined || this.#waiting.count > 0 || this.#lookUp.open(this.#editor.text)) return;
      this.#lines.push(...layNotice("Your role has no look-up.", this.#width));
      return;
    }
    const commands = this.#commands;
    this.#apply(edit(this.#editor, event, (text, cursor) => complete(text, cursor, commands)));
  }

  /** @returns whether that was all; if not, it is text for the line in the editor */
  #paste(event: KeyEvent): boolean {
    if (event.type === "text") return this.#waiting.paste(event.text);
    if (event.name === "paste-end") this.#waiting.endPaste();
    else this.#waiting.endLine(this.#editor.text !== "");
    return true;
  }

  /** The next pasted line stands at the prompt, for the person to look at and to press Enter. */
  #offerWaiting(): void {
    if (this.#answer !== undefined || this.#left || this.#editor.text !== "") return;
    const text = this.#waiting.shift();
    if (text !== undefined) this.#editor = { ...this.#editor, text, cursor: text.length };
  }

  /** `ssh -tt host <file`: the lines of a file came all at once, and nobody is there to press Enter. */
  #runWaiting(): void {
    this.#inputOver = true;
    this.#answer?.leaveChoice();
    const lines = [this.#editor.text];
    for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) lines.push(line);
    this.#editor = { ...emptyEditor, history: this.#editor.history };
    this.#waiting.clear();
    this.#queue.push(...lines.filter((line) => line !== ""));
    if (this.#answer === undefined) this.#runQueued();
  }

  #apply({ editor, effect }: Edited): void {
    this.#editor = editor;
    switch (effect?.type) {
      case undefined:
        return;
      case "submit":
        this.#submit(effect.line);
        this.#offerWaiting();
        return;
      case "interrupt":
        this.#waiting.clear();
        this.#lines.push(echoLine(this.#prompt, effect.line, this.#width, "^C"));
        return;
      case "clear-screen":
        // At once: what is printed by later keys of the same chunk must not be cleared.
        this.#clearing = "screen";
        this.paint();
        return;
      case "leave":
        // Only at the prompt: while something runs, Ctrl-D would throw away its answer.
        if (this.#answer === undefined) this.#leave();
        return;
      default:
        effect satisfies never;
    }
  }

  #submit(line: string): void {
    if (this.#answer !== undefined) {
      if (this.#queue.length < maximumQueued) this.#queue.push(line);
      else if (!this.#dropping) {
        this.#dropping = true;
        this.#lines.push(
          ...layNotice(`More than ${maximumQueued} lines typed ahead: the rest is dropped.`, this.#width),
        );
      }
      return;
    }
    this.#dropping = false;
    this.#lines.push(echoLine(this.#prompt, line, this.#width));
    if (line.trim() === "") return;
    this.#lastId += 1;
    this.#answer = new RunningAnswer(this.#lastId, this.#parts.clock.now(), this.#parts.send);
    this.#parts.send({ type: "line", id: this.#lastId, text: line });
    this.#tick();
  }

  /** Shows the seconds go by while an answer is awaited. */
  #tick(): void {
    this.#tickTimer?.cancel();
    this.#tickTimer = this.#parts.clock.after(tickMs, () => {
      if (this.#answer === undefined || this.#closed) return;
      this.paint();
      this.#tick();
    });
  }

  #receivePart(part: AnswerPart): void {
    const answer = this.#answer;
    // A fresh screen may get the rest of an answer that its predecessor asked for.
    if (answer === undefined || part.id !== answer.id) return;
    if (part.type === "error" || part.type === "end") this.#leaveTranscript();
    this.#lines.push(...answer.take(part, this.#width));
    if (part.type === "end") this.#end(answer, part);
  }

  #leaveTranscript(): void {
    const left = this.#transcript?.close();
    this.#transcript = undefined;
    if (left !== undefined) this.#lines.push(...layText(left, this.#width, "quiet"));
  }

  #end(answer: RunningAnswer, end: AnswerPart & { readonly type: "end" }): void {
    this.#tickTimer?.cancel();
    this.#answer = undefined;
    this.#releasing = answer.id;
    if (end.action === "clear") this.#clearing = "scrollback";
    if (end.action === "exit") this.#left = true;
    // Before the next line starts: `released` must be on its way before the server sees a new answer.
    this.paint();
    if (this.#left) return;
    this.#runQueued();
    this.#offerWaiting();
  }

  /** Empty lines send nothing, so no `end` comes for them. */
  #runQueued(): void {
    while (this.#answer === undefined) {
      const line = this.#queue.shift();
      if (line === undefined) break;
      this.#submit(line);
    }
    if (this.#answer === undefined && this.#inputOver) this.#leave();
  }

  #leave(): void {
    this.#left = true;
    // The prompt becomes a finished line, or what ssh says next would stand behind it.
    this.#lines.push(echoLine(this.#prompt, "", this.#width));
    this.paint();
    this.#parts.send({ type: "leave" });
  }
}
