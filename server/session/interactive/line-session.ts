import { failures, stopped } from "../../errors.ts";
import type { PseudoTerminal, TerminalSize } from "../contract.ts";
import type { Answer, Delivery, Outcome } from "../delivery.ts";
import { encodeAnswer } from "../format/encode.ts";
import { withoutPrivateUse } from "../../model/harmless-text.ts";
import { Glyphs } from "./glyphs.ts";
import { maximumLineLength } from "./from-ui.ts";
import { LineReader } from "./line-reader.ts";
import { Painter } from "./painter.ts";
import { disclosureLabel, screenText, boundaryLabel, label, trustedMark } from "./screen-text.ts";
import type { RecordedText } from "./recorded-terminal.ts";
import type { LockOver, SessionLock } from "../session-lock.ts";
import type { SessionMode, SessionModeParts } from "./session-mode.ts";
import { TrustedPath } from "./trusted-path.ts";

/** Keys disclosed at a time: what was sent when a user stops is on the record, little more. */
const rowsAtATime = 50;
const widthWithoutTerminal = 120;
/** What comes of a paste after the Enter that unlocked. */
const quietMs = 200;

/** Rows of a terminal of unknown size that are pushed out, and of a smaller one, whose window may have been larger. */
const fewestRowsOut = 100;

/**
 * A session in plain lines, without a UI process: for a terminal that knows no escape sequences (`TERM=dumb`, screen
 * readers) and for a shell without a pty, where the client shows what is typed.
 */
export class LineSession implements SessionMode {
  readonly #parts: SessionModeParts;
  readonly #hasTerminal: boolean;
  readonly #reader: LineReader;
  readonly #trustedPath: TrustedPath;
  readonly #glyphs = new Glyphs();
  readonly #painter = new Painter(this.#glyphs);
  #columns: number;
  #rows: number | undefined;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  #lineId = 0;
  /** Resolves when the lock is opened; never, where it is not. */
  #unlocked: Promise<void> = Promise.resolve();
  /** While the session is locked. */
  #lockPath: TrustedPath | undefined;
  #lockReader: LineReader | undefined;
  /** Exit statuses of the commands, for a script: of the last, and of the first that failed. */
  #status = { last: 0, firstFailed: 0 };
  /** The prompt on the screen, to be painted again after something was said. */
  #prompt = "";

  constructor(parts: SessionModeParts, terminal: PseudoTerminal | undefined) {
    this.#parts = parts;
    this.#hasTerminal = terminal !== undefined;
    this.#columns = terminal?.columns ?? widthWithoutTerminal;
    this.#rows = terminal?.rows;
    this.#reader = new LineReader({
      terminal: this.#hasTerminal,
      write: (echo, to) => parts.terminal.post(echo, to === "answer" ? "" : echo),
      onInterrupt: () => this.#running?.controller.abort(stopped()),
    });
    this.#trustedPath = new TrustedPath(
      {
        escapes: false,
        clearing: () => this.clearing(),
        clientEchoes: !this.#hasTerminal,
        isLost: () => false,
        isStopped: () => false, // Ctrl-C aborts the command itself, which ends the prompt
        // A file on standard input has its answers in it, in order: only what a person typed too early is dropped.
        take: async () => {
          if (this.#hasTerminal) this.#reader.discard();
        },
        read: (echo) => {
          if (this.#hasTerminal) this.#reader.discard();
          return this.#reader.read(echo);
        },
        giveBack: async () => {
          if (this.#hasTerminal) this.#reader.discard();
        },
      },
      parts.terminal.aside,
      parts.endpointName,
    );
  }

  start(): void {
    this.#parts.keyboard.leadTo((text) => this.#reader.feed(text));
    this.#converse().catch((error: unknown) => this.#parts.ending.endFrom(error));
  }

  inputEnded(): void {
    this.#lockReader?.end();
    this.#reader.end();
  }

  resized({ columns, rows }: TerminalSize): void {
    this.#columns = columns;
    this.#rows = rows;
  }

  /** Empty lines push everything out of a terminal that knows no escape sequences; its scrollback keeps what it has. */
  clearing(): string {
    return this.#hasTerminal ? "\r\n".repeat(Math.max(fewestRowsOut, this.#rows ?? 0)) : "";
  }

  /** Plain lines stay where they are. */
  leaving(): string {
    return "";
  }

  commandsChanged(): void {
    // Nothing here shows them: `invoke` asks anew for each line.
  }

  notify(text: string): void {
    const open = this.#lockPath ?? (this.#trustedPath.isOpen ? this.#trustedPath : undefined);
    if (open !== undefined) open.interject(text);
    else this.#parts.terminal.aside.post(this.#lines(`\n${trustedMark} ${screenText(text)}\n${this.#prompt}`));
  }

  /**
   * What runs would write over the lock, so it is stopped, and a prompt that was left open with it. What was typed ahead is
   * forgotten: it would run behind the lock.
   */
  async lock(lock: SessionLock): Promise<LockOver | undefined> {
    const { keyboard, terminal, endpointName, ending } = this.#parts;
    const unlocked = Promise.withResolvers<void>();
    this.#unlocked = unlocked.promise;
    const reader = new LineReader({ terminal: true, write: (echo) => terminal.post(echo) });
    this.#lockReader = reader;
    keyboard.leadTo((text) => reader.feed(text));
    this.#reader.discard();
    this.#running?.controller.abort(stopped());
    await this.idle();
    await this.#trustedPath.closed();
    this.#reader.discard();
    void this.#reader.feed("\u0015"); // half a line, forgotten on the screen, would begin the next one
    const path = new TrustedPath(
      {
        escapes: false,
        clearing: () => this.clearing(),
        clientEchoes: false,
        isLost: () => false,
        isStopped: () => false,
        take: async () => undefined, // taken above, before anything was waited for
        read: (echo) => {
          reader.discard();
          return reader.read(echo);
        },
        untilQuiet: () => keyboard.untilQuiet(quietMs),
        giveBack: async () => keyboard.leadTo((text) => this.#reader.feed(text)),
      },
      terminal,
      endpointName,
    );
    this.#lockPath = path;
    const over = await path.lock(ending.signal, lock);
    this.#lockPath = undefined;
    this.#lockReader = undefined;
    if (over !== undefined) return over;
    terminal.post(this.#lines(`\n${this.#prompt}`));
    unlocked.resolve();
    return undefined;
  }

  async idle(): Promise<void> {
    await this.#running?.ended;
  }

  async stop(): Promise<void> {
    this.#running?.controller.abort(stopped());
    await this.idle();
  }

  /** A terminal in raw mode needs CR LF. */
  #lines(text: string): string {
    return this.#hasTerminal ? text.replace(/\r?\n/g, "\r\n") : text;
  }

  /** Everything that may quote foreign text goes through the painter, as on a screen. */
  async #show(text: string, to: RecordedText = this.#parts.terminal.aside): Promise<void> {
    const { shown, recorded } = this.#painter.paintText(this.#lines(text));
    await to.write(shown, recorded);
  }

  async #converse(): Promise<void> {
    const { terminal, ending, connectedUser, endpointName, welcome } = this.#parts;
    if (!(await this.#parts.mayBegin(this.#trustedPath))) return;
    const prompt = `PS ${label(`${connectedUser}@${endpointName}`)}> `;
    if (welcome !== "") await this.#show(`${screenText(welcome)}\n`);
    for (;;) {
      await this.#unlocked;
      if (ending.signal.aborted) return;
      this.#prompt = prompt;
      const [, typed] = await Promise.all([terminal.aside.write(prompt), this.#reader.read("command")]);
      this.#prompt = "";
      if (ending.signal.aborted) return;
      if (typed.kind === "end") {
        terminal.aside.post(this.#lines("\n")); // what ssh says next would stand behind the prompt
        ending.end({ exitStatus: this.#hasTerminal ? 0 : this.#status.last, reason: "left" });
        return;
      }
      if (typed.kind === "too-long") {
        await this.#show(`A line has at most ${maximumLineLength} characters.\n`);
        this.#count(failures.LimitsExceeded.exitStatus);
      }
      if (typed.kind !== "line" || typed.text.trim() === "") continue;
      const controller = new AbortController();
      const answering = this.#answer(typed.text, controller.signal);
      this.#running = { controller, ended: answering.then(undefined, () => undefined) };
      await answering;
      this.#running = undefined;
    }
  }

  #count(exitStatus: number): void {
    this.#status = { last: exitStatus, firstFailed: this.#status.firstFailed || exitStatus };
  }

  async #answer(line: string, signal: AbortSignal): Promise<void> {
    this.#lineId += 1;
    const { invoke, terminal } = this.#parts;
    const outcome: Outcome = await invoke(withoutPrivateUse(line), this.#delivery(this.#lineId, signal), signal);
    this.#glyphs.release(this.#lineId);
    this.#count(outcome.exitStatus);
    await terminal.marker(boundaryLabel(outcome));
    if (outcome.failure !== undefined) {
      await this.#show(`${outcome.failure.category}: ${screenText(outcome.failure.message)}\n`);
    }
  }

  #delivery(id: number, signal: AbortSignal): Delivery {
    return {
      how: "line",
      batchRows: () => rowsAtATime,
      reveal: (text) => {
        // Lines are painted once, in order: of the many glyphs in use the oldest were sent long ago.
        while (!this.#glyphs.hasRoomFor(text) && this.#glyphs.releaseOldest());
        return this.#glyphs.reveal(text, id);
      },
      disclosed: (keyIds) => this.#parts.terminal.marker(disclosureLabel(keyIds)),
      confirmBulk: (count, secrets) =>
        this.#rows === undefined || count < this.#rows
          ? Promise.resolve(true)
          : this.#trustedPath.confirm(`Show ${count} ${secrets}?`, signal),
      confirm: (question) => this.#trustedPath.confirm(question, signal),
      tell: (text) => this.#show(`${screenText(text)}\n`),
      askPassword: (question, purpose) => this.#trustedPath.askPassword(question, purpose, signal),
      show: (answer) => this.#showAnswer(answer, signal),
    };
  }

  async #showAnswer(answer: Answer, signal: AbortSignal): Promise<Record<string, never>> {
    if (answer.kind === "session") {
      // `Clear-Host` has nothing to clear: a terminal without escape sequences can't be cleared.
      if (answer.action === "exit") {
        const { last, firstFailed } = this.#status;
        const own = answer.firstFailed === true ? firstFailed : last;
        this.#parts.ending.end({ exitStatus: this.#hasTerminal ? 0 : own, reason: "exit" });
      }
      return {};
    }
    const plain = answer.kind === "text" ? { ...answer, text: withoutPrivateUse(answer.text) } : answer;
    for await (const piece of encodeAnswer(plain, { width: this.#columns, terminal: true })) {
      if (signal.aborted) throw stopped();
      await this.#show(piece, this.#parts.terminal);
    }
    return {};
  }
}
