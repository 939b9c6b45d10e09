import stringWidth from "string-width";
import { holdsPastedLines } from "../../model/pasted-lines.ts";
import { longestHiddenLine } from "../ask-password.ts";
import { createKeyMask } from "./key-mask.ts";
import { isPrivateUse } from "./glyphs.ts";
import { maximumLineLength } from "./from-ui.ts";
import { createSequenceFilter } from "./sequence-filter.ts";

/** How a line that was asked for ended. */
export type Typed =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "too-long" }
  /** Ctrl-C. */
  | { readonly kind: "interrupt" }
  /** Ctrl-D on an empty line, or the input is over. */
  | { readonly kind: "end" };

/** `command`: shown, and key-shaped text masked first; `answer`: shown; `none`: nothing at all, not even its length. */
export type Echo = "command" | "answer" | "none";

/** Typed ahead of a prompt and not read yet; then reading stops, and the SSH window closes. Of a paste no more waits. */
const maximumTypeAhead = 64 * 1024;

const interrupt = "\u0003";
const pasteBegins = "\u001b[200~";
const pasteMarks = /\u001b\[20[01]~/g;

const isPaste = (text: string, linesWait: boolean): boolean =>
  text.includes(pasteBegins) || holdsPastedLines(text, linesWait);

/**
 * Reads lines without the UI process: for the server's own prompts, and for plain line mode.
 * With a terminal the client sends single keys and shows nothing itself; without one it sends lines it has shown.
 */
export class LineReader {
  readonly #terminal: boolean;
  readonly #write: (echo: string, to: Echo) => void;
  readonly #onInterrupt: () => void;
  #pending = "";
  /** Pasted lines that wait for Enter each: a pasted line end runs nothing. */
  #waiting: string[] = [];
  #readsCommands = false;
  #begun = false;
  #over = false;
  #room: PromiseWithResolvers<void> | undefined;
  #reading: { readonly echo: Echo; readonly done: (typed: Typed) => void } | undefined;
  /** Of all lines that are shown: a key may come in several. */
  readonly #mask = createKeyMask();
  #line: string[] = [];
  #tooLong = false;
  /** Arrow keys, function keys and the marks around a paste say nothing here. */
  readonly #isSequence = createSequenceFilter();
  #afterReturn = false;

  /** @param onInterrupt Ctrl-C while no line is asked for */
  constructor(options: {
    readonly terminal: boolean;
    readonly write: (echo: string, to: Echo) => void;
    readonly onInterrupt?: () => void;
  }) {
    this.#terminal = options.terminal;
    this.#write = options.write;
    this.#onInterrupt = options.onInterrupt ?? (() => undefined);
  }

  /** More was typed. Resolves when there is room for yet more. */
  feed(text: string): Promise<void> | void {
    const isCommand = this.#reading === undefined ? this.#readsCommands : this.#reading.echo === "command";
    if (this.#terminal && isCommand && isPaste(text, this.#waiting.length > 0)) this.#paste(text);
    else this.#pending += text;
    if (this.#terminal && this.#reading === undefined && text.includes(interrupt)) {
      this.#forget();
      this.#onInterrupt();
    }
    this.#consume();
    if (this.#pending.length <= maximumTypeAhead) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** The input is over. Lines of a file came all at once, and nobody is there to press Enter for each. */
  end(): void {
    this.#over = true;
    if (this.#waiting.length > 0) this.#pending += ["", ...this.#waiting, ""].join("\r");
    this.#waiting = [];
    this.#consume();
  }

  /** Forgets what was typed ahead, but not a Ctrl-C in it. */
  discard(): void {
    const interrupted = this.#terminal && this.#pending.includes(interrupt);
    this.#forget();
    if (interrupted) this.#onInterrupt();
    this.#consume();
  }

  /** The next line. One at a time. */
  read(echo: Echo): Promise<Typed> {
    const { promise, resolve } = Promise.withResolvers<Typed>();
    this.#line = [];
    this.#tooLong = false;
    if (echo === "command") this.#readsCommands = true;
    if (echo === "command" && this.#pending === "") this.#pending = this.#waiting.shift() ?? "";
    this.#reading = {
      echo,
      done: (typed) => {
        this.#reading = undefined;
        resolve(typed);
      },
    };
    this.#consume();
    return promise;
  }

  #forget(): void {
    this.#pending = "";
    this.#waiting = [];
  }

  #paste(text: string): void {
    const lines = text.replace(pasteMarks, "").split(/\r\n?|\n/);
    if (this.#waiting.length === 0) this.#pending += lines.shift() ?? "";
    let room = maximumTypeAhead - this.#waiting.join("").length;
    for (const line of lines) {
      room -= line.length;
      if (line !== "" && room >= 0) this.#waiting.push(line);
    }
  }

  #consume(): void {
    while (this.#reading !== undefined) {
      const before = this.#pending.length;
      if (this.#terminal) this.#takeKeys();
      else this.#takeLine();
      if (this.#pending.length === before) break;
    }
    if (this.#over && this.#pending === "" && this.#reading !== undefined) this.#reading.done({ kind: "end" });
    if (this.#pending.length <= maximumTypeAhead) {
      this.#room?.resolve();
      this.#room = undefined;
    }
  }

  #takeLine(): void {
    const longest = this.#longest;
    let end = this.#pending.indexOf("\n");
    if (end < 0 && (this.#over || this.#pending.length > longest)) end = this.#pending.length;
    if (end < 0 || this.#pending === "") return;
    const taken = this.#pending.slice(0, end).replace(/\r$/, "");
    // A script that an editor of Windows saved begins with a byte order mark. Of a password it is judged where the password is.
    const text = !this.#begun && this.#reading?.echo === "command" ? taken.replace(/^\ufeff/, "") : taken;
    this.#begun = true;
    const whole = end < this.#pending.length || this.#over;
    this.#pending = this.#pending.slice(end + 1);
    // A line without its end yet: dropped as it comes, so that it never grows beyond what is told to be too long. Of a hidden
    // one nothing more is taken: a script that pipes the wrong file into a password hears of it at once.
    if (!whole && this.#reading?.echo !== "none") this.#tooLong = true;
    else
      this.#reading?.done(
        this.#tooLong || !whole || text.length > longest ? { kind: "too-long" } : { kind: "line", text },
      );
  }

  get #longest(): number {
    return this.#reading?.echo === "none" ? longestHiddenLine : maximumLineLength;
  }

  #takeKeys(): void {
    const reading = this.#reading;
    if (reading === undefined || this.#pending === "") return;
    const end = this.#pending.search(/[\r\n]/);
    const cut = end < 0 ? this.#pending.length : end + 1;
    const typedKeys = this.#pending.slice(0, cut);
    const rest = this.#pending.slice(cut);
    const keys = reading.echo === "command" ? this.#mask(typedKeys, [rest, ...this.#waiting].join("\r")) : typedKeys;
    let echo = "";
    let used = 0;
    let typed: Typed | undefined;
    for (const key of keys) {
      used += key.length;
      const { shown, ends } = this.#key(key);
      echo += shown;
      if (ends !== undefined) {
        typed = ends;
        break;
      }
    }
    this.#pending = keys.slice(used) + rest;
    const visible = reading.echo === "none" ? (typed === undefined ? "" : "\r\n") : echo;
    if (visible !== "") this.#write(visible, reading.echo);
    if (typed !== undefined) reading.done(typed);
  }

  #key(key: string): { readonly shown: string; readonly ends?: Typed } {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = key === "\r";
    if (key === "\n" && afterReturn) return { shown: "" };
    if (this.#isSequence(key)) return { shown: "" };
    switch (key) {
      case "\r":
      case "\n":
        return {
          shown: "\r\n",
          ends: this.#tooLong ? { kind: "too-long" } : { kind: "line", text: this.#line.join("") },
        };
      case interrupt:
        this.#waiting = [];
        return { shown: "^C\r\n", ends: { kind: "interrupt" } };
      case "\u0004":
        return this.#line.length === 0 ? { shown: "\r\n", ends: { kind: "end" } } : { shown: "" };
      case "\b":
      case "\u007f":
        return { shown: rubOut(this.#line.pop() ?? "") };
      case "\u0015":
        return { shown: this.#line.splice(0).toReversed().map(rubOut).join("") };
      default:
        return { shown: this.#append(key) };
    }
  }

  #append(key: string): string {
    const code = key.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || isPrivateUse(code)) return "";
    if (this.#line.length >= this.#longest) {
      this.#tooLong = true;
      return "";
    }
    this.#line.push(key);
    return key;
  }
}

const rubOut = (character: string): string => "\b \b".repeat(stringWidth(character));
