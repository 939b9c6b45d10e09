import { EndpointError, stopped } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { PasswordPurpose } from "../../command/define-command.ts";
import { orStopped } from "../../or-stopped.ts";
import { takePassword } from "../ask-password.ts";
import type { Echo, Typed } from "./line-reader.ts";
import type { LockOver, SessionLock } from "../session-lock.ts";
import type { RecordedText } from "./recorded-terminal.ts";
import { label, trustedMark } from "./screen-text.ts";

/** Where a prompt is painted and answered: over a screen, or between plain lines. */
export interface PromptPlace {
  /** Takes terminal and keyboard away from whoever has them. */
  take(): Promise<void>;
  read(echo: Echo): Promise<Typed>;
  giveBack(): Promise<void>;
  /** What takes everything off the screen. */
  clearing(): string;
  /** Before each try at a lock: a Ctrl-C opens none. */
  forgetInterrupt?(): void;
  /** Drops what still comes of a paste. */
  untilQuiet?(): Promise<void>;
  /** Whether who had the terminal is gone meanwhile, and the command with it. */
  isLost(): boolean;
  /** Whether the command was stopped meanwhile: nobody's password or `y` is worth anything to it any more. */
  isStopped(): boolean;
  /** The terminal understands escape sequences. */
  readonly escapes: boolean;
  /** The client itself shows what is typed (no pty): the server can't hide a password. */
  readonly clientEchoes: boolean;
}

interface Turn<T> {
  readonly evenIfLost: boolean;
  /** Left out: whoever had the terminal gets it back, however this ended. */
  readonly giveBackAfter?: (answer: T) => boolean;
}

const attempts = 3;

/**
 * Questions that the server itself asks: passwords and confirmations of consequence. While one is open the
 * UI process neither paints nor sees a key, and nothing typed is in the transcript.
 */
export class TrustedPath {
  readonly #place: PromptPlace;
  readonly #terminal: RecordedText;
  readonly #endpointName: string;
  #last: Promise<unknown> = Promise.resolve();
  #prompt: string | undefined;
  #open = 0;

  constructor(place: PromptPlace, terminal: RecordedText, endpointName: string) {
    this.#place = place;
    this.#terminal = terminal;
    this.#endpointName = label(endpointName);
  }

  /** A prompt is open, or waits for its turn. */
  get isOpen(): boolean {
    return this.#open > 0;
  }

  /** Resolves when no prompt is open. */
  async closed(): Promise<void> {
    while (this.isOpen) await this.#last;
  }

  /**
   * Asks for a password; nothing at all is shown of it. Throws `OperationStopped` on Ctrl-C, Ctrl-D or an abort, `InvalidArgument` after three attempts.
   */
  askPassword(prompt: string, purpose: PasswordPurpose, signal: AbortSignal): Promise<Secret> {
    return this.#inTurn(signal, async () => {
      if (this.#place.clientEchoes) await this.#say("This session has no terminal: your own may show what you type.");
      const taken = await takePassword(prompt, purpose, {
        isPerson: true,
        ask: (question) => this.#ask(`${question}: `, "none", signal),
        say: (problem) => this.#say(problem),
      });
      if ("password" in taken) return new Secret(taken.password);
      await this.#say(taken.problem);
      // A fourth password, typed in the hope that it is asked for, goes nowhere.
      if (!this.#place.clientEchoes) await this.#ask("No password was given. Press Enter to go back. ", "none", signal);
      throw new EndpointError("InvalidArgument", "No password was given: none of three attempts was good.");
    });
  }

  /** Shows a notice and asks for the word `yes`; anything else three times, Ctrl-C and Ctrl-D are no. */
  accept(notice: string, signal: AbortSignal): Promise<boolean> {
    const work = async (): Promise<boolean> => {
      for (const line of notice.trimEnd().split("\n")) await this.#say(line);
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const typed = await this.#read("Type yes to accept: ", "answer", signal);
        if (typed.kind === "interrupt" || typed.kind === "end") return false;
        if (typed.kind === "line" && /^\s*yes\s*$/i.test(typed.text)) return true;
      }
      return false;
    };
    return this.#inTurn(signal, work, { evenIfLost: true }); // there is no screen yet
  }

  /** Asks a question of consequence; anything but `y` or `yes` is no. */
  confirm(question: string, signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(signal, async () => {
      const answer = await this.#ask(`${question} [y/N] `, "answer", signal);
      return /^\s*y(?:es)?\s*$/i.test(answer ?? "");
    });
  }

  /**
   * Clears the screen and waits for a code that opens the lock. Whatever else is typed goes nowhere, before it and, of the same
   * paste, after it. Only who opens the lock gets the terminal back: a session that ends behind it shows nothing more.
   * Rejects with `OperationStopped` when the input ends or the signal aborts.
   *
   * @returns why the session has to end; `undefined`: the lock is open
   */
  lock(signal: AbortSignal, lock: SessionLock): Promise<LockOver | undefined> {
    const work = async (): Promise<LockOver | undefined> => {
      await this.#terminal.write(this.#place.clearing());
      await lock.locked();
      for (;;) {
        this.#place.forgetInterrupt?.();
        const typed = await this.#read("Locked, because nothing was typed for long. Code: ", "none", signal);
        if (typed.kind === "end") throw stopped();
        // With Enter alone people see whether a screen is awake: it is no code, so no wrong one.
        if (typed.kind === "interrupt" || (typed.kind === "line" && typed.text.trim() === "")) continue;
        const verdict = await lock.open(typed.kind === "line" ? typed.text : undefined);
        if (verdict.kind === "over") return verdict;
        if (verdict.text !== undefined) await this.#say(verdict.text);
        if (verdict.kind === "open") break;
      }
      await this.#place.untilQuiet?.();
      return undefined;
    };
    return this.#inTurn(signal, work, { evenIfLost: true, giveBackAfter: (over) => over === undefined });
  }

  /** Takes terminal and keyboard for what is no prompt, and gives them back after it. */
  hold<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#inTurn(signal, work);
  }

  /** Says something while a prompt is open, and paints the prompt again. */
  interject(text: string): void {
    this.#terminal.post(`\r\n${this.#line(text)}${this.#prompt ?? ""}`);
  }

  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>, how: Turn<T> = { evenIfLost: false }): Promise<T> {
    this.#open += 1;
    const turn = this.#exchange(this.#last, signal, work, how);
    this.#last = turn.catch(() => undefined); // the next prompt waits for the end of this one, however it ended
    try {
      return await turn;
    } finally {
      this.#open -= 1;
    }
  }

  async #exchange<T>(
    before: Promise<unknown>,
    signal: AbortSignal,
    work: () => Promise<T>,
    { evenIfLost, giveBackAfter }: Turn<T>,
  ): Promise<T> {
    await before;
    if (signal.aborted || (!evenIfLost && (this.#place.isLost() || this.#place.isStopped()))) throw stopped();
    await this.#place.take();
    let givesBack = giveBackAfter === undefined;
    try {
      if (!evenIfLost && this.#place.isLost()) throw stopped();
      const answer = await work();
      givesBack ||= giveBackAfter?.(answer) === true;
      if (!evenIfLost && this.#place.isLost()) throw stopped("The screen was lost, so the command was stopped.");
      if (!evenIfLost && this.#place.isStopped()) throw stopped();
      return answer;
    } finally {
      this.#prompt = undefined;
      if (givesBack) await this.#place.giveBack();
    }
  }

  async #read(question: string, echo: Echo, signal: AbortSignal): Promise<Typed> {
    this.#prompt = this.#paint(question);
    // Reading begins while the prompt is on its way: who answers it in the moment it arrives is not too early.
    const [, typed] = await orStopped(
      Promise.all([this.#terminal.write(this.#prompt), this.#place.read(echo)]),
      signal,
    );
    if (echo === "answer") this.#terminal.post("", "\r\n"); // the line's end is recorded, what stood before it is not
    return typed;
  }

  /** @returns undefined when the line was too long */
  async #ask(question: string, echo: Echo, signal: AbortSignal): Promise<string | undefined> {
    const typed = await this.#read(question, echo, signal);
    switch (typed.kind) {
      case "line":
        return typed.text;
      case "too-long":
        return undefined;
      case "interrupt":
      case "end":
        throw stopped();
    }
  }

  async #say(text: string): Promise<void> {
    await this.#terminal.write(this.#line(text));
  }

  #line(text: string): string {
    return `${trustedMark} ${label(text)}\r\n`;
  }

  /** Reverse video is the server's own: the painter lets no UI process use it (see `terminal-sequence.ts`). */
  #paint(question: string): string {
    const text = label(question);
    if (!this.#place.escapes) return `${trustedMark} ${this.#endpointName} asks: ${text}`;
    return `\r\u001b[0m\u001b[?25h\u001b[7m ${trustedMark} ${this.#endpointName} asks \u001b[27m ${text}`;
  }
}
