import type { ToUi } from "../../../ui/protocol.ts";
import { EndpointError, stopped } from "../../errors.ts";
import type { TerminalSize } from "../contract.ts";
import type { Outcome } from "../delivery.ts";
import { withoutPrivateUse } from "../../model/harmless-text.ts";
import type { ScreenMessage } from "./from-ui.ts";
import { createKeyMask } from "./key-mask.ts";
import { LineReader } from "./line-reader.ts";
import { LookUps } from "./look-ups.ts";
import { createScreenDelivery } from "./screen-delivery.ts";
import { screenText, boundaryLabel, label, toUiCommands } from "./screen-text.ts";
import { KeyOffers } from "./offer-keys.ts";
import { Screen, type ScreenFace } from "./screen.ts";
import type { LockOver, SessionLock } from "../session-lock.ts";
import { orStopped } from "../../or-stopped.ts";
import type { SessionMode, SessionModeParts } from "./session-mode.ts";
import { TranscriptTurns } from "./transcript-turns.ts";
import { type PromptPlace, TrustedPath } from "./trusted-path.ts";
import type { UiPool } from "./ui-pool.ts";

interface Running {
  readonly id: number;
  readonly controller: AbortController;
  /** The answer waits for `more`. */
  page: PromiseWithResolvers<void> | undefined;
  readonly transcriptTurns: TranscriptTurns;
  stoppedByUser: boolean;
  ended: Promise<void>;
}

const interrupt = "\u0003";
/** How long after `exit` a UI process may take to say good-bye. */
const farewellMs = 1_000;
/** A terminal sends a paste in one go; what comes later was typed later. */
const quietMs = 200;
/** After the client's input is over the UI process leaves when its lines are answered; at the latest when nothing came for so long. */
const afterInputMs = 2_000;

/** The scrollback too; after the screen, because some terminals push what they clear into it. */
const clearScreen = "\u001b[0m\u001b[H\u001b[2J\u001b[3J";

/** A session on a screen: lines from the UI process → `invoke` → parts of an answer for the UI process. */
export class ScreenSession implements SessionMode {
  readonly #parts: SessionModeParts;
  readonly #screen: Screen;
  readonly #trustedPath: TrustedPath;
  readonly #offers: KeyOffers;
  #size: TerminalSize;
  #keyMask = createKeyMask();
  #reader: LineReader | undefined;
  /** Ctrl-C came while the server's prompt was being opened, or between two of them. */
  #interrupted = false;
  #running: Running | undefined;
  readonly #lookUps: LookUps;
  /** Resolves when the lock is opened; never, where it is not. */
  #unlocked: Promise<void> = Promise.resolve();
  #lastId = 0;
  /** The last answer, when it was a transcript. */
  #endedTranscript: number | undefined;
  #inputOver = false;
  #afterInput: NodeJS.Timeout | undefined;
  #farewell: NodeJS.Timeout | undefined;

  constructor(parts: SessionModeParts, uiPool: UiPool, size: TerminalSize) {
    this.#parts = parts;
    this.#size = size;
    this.#screen = new Screen(uiPool, parts.connectedUser, parts.terminal, {
      opening: () => this.#opening(),
      message: (message) => this.#take(message),
      stopRead: (id) => {
        if (this.#running?.id === id) this.#stopRunning();
      },
      lost: () => this.#lost(),
      failed: (message) => parts.ending.end({ exitStatus: 70, reason: "no screen", message }),
    });
    this.#trustedPath = new TrustedPath(this.#promptPlace(), parts.terminal, parts.endpointName);
    this.#lookUps = new LookUps({
      invoke: parts.invoke,
      unlocked: (signal) => orStopped(this.#unlocked, signal),
      mark: (text) => parts.terminal.marker(text),
      now: () => new Date(),
      failed: (error) => parts.ending.endFrom(error),
    });
    this.#offers = new KeyOffers({
      ...parts,
      trustedPath: this.#trustedPath,
      size: () => this.#size,
      isInputOver: () => this.#inputOver,
      isInterrupted: () => this.#interrupted,
      unlocked: () => this.#unlocked,
    });
  }

  start(): void {
    const { mayBegin, ending } = this.#parts;
    const open = async (): Promise<void> => {
      if (!(await mayBegin(this.#trustedPath)) || ending.signal.aborted) return;
      try {
        this.#screen.open();
      } catch (error) {
        if (!(error instanceof EndpointError)) throw error;
        ending.end({ exitStatus: error.exitStatus, reason: "no screen", message: error.message });
        return;
      }
      this.#leadToUi();
    };
    open().catch((error: unknown) => ending.endFrom(error));
  }

  inputEnded(): void {
    this.#inputOver = true;
    this.#offers.card?.inputEnded();
    this.#reader?.end();
    void this.#screen.send({ type: "input-over" });
    this.#endAfterInput();
  }

  resized(size: TerminalSize): void {
    this.#size = size;
    this.#offers.card?.resized();
    void this.#screen.send({ type: "resize", columns: size.columns, rows: size.rows });
  }

  commandsChanged(): void {
    void this.#screen.send({ type: "commands", commands: toUiCommands(this.#parts.visibleCommands()) });
  }

  notify(text: string): void {
    if (this.#offers.card === undefined && this.#trustedPath.isOpen) {
      this.#trustedPath.interject(text);
      return;
    }
    this.#offers.card?.notice(text);
    void this.#screen.send({ type: "notice", text: screenText(text) });
  }

  /** A prompt that was left open is given up with its command: whoever comes back may not be who was asked. */
  async lock(lock: SessionLock): Promise<LockOver | undefined> {
    const unlocked = Promise.withResolvers<void>();
    this.#unlocked = unlocked.promise;
    if (this.#trustedPath.isOpen) this.#running?.controller.abort(stopped());
    void this.#lookUps.stop();
    this.#screen.face?.glyphs.blank();
    const over = await this.#trustedPath.lock(this.#parts.ending.signal, lock);
    if (over === undefined) unlocked.resolve();
    return over;
  }

  clearing(): string {
    return clearScreen;
  }

  leaving(): string {
    return this.#offers.card?.wiping() ?? "";
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running.ended;
    await this.#lookUps.idle();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#afterInput);
    clearTimeout(this.#farewell);
    this.#running?.controller.abort(stopped());
    this.#screen.close();
    await this.#lookUps.stop();
    await this.idle();
  }

  #opening(): Extract<ToUi, { type: "open" }> {
    this.#lastId = 0;
    this.#endedTranscript = undefined;
    const { connectedUser, endpointName, welcome, visibleCommands } = this.#parts;
    return {
      type: "open",
      columns: this.#size.columns,
      rows: this.#size.rows,
      connectedUser: label(connectedUser),
      endpointName: label(endpointName),
      welcome: screenText(welcome),
      commands: toUiCommands(visibleCommands()),
    };
  }

  #leadToUi(): void {
    this.#keyMask = createKeyMask();
    this.#parts.keyboard.leadTo((text) => this.#screen.type(this.#keyMask(withoutPrivateUse(text))));
  }

  #promptPlace(): PromptPlace {
    const { keyboard, terminal } = this.#parts;
    const isLost = (): boolean => !this.#screen.isAlive;
    return {
      escapes: true,
      clearing: () => this.clearing(),
      clientEchoes: false,
      isLost,
      isStopped: () => this.#running?.stoppedByUser === true,
      take: async () => {
        // Type-ahead is dropped, but not a Ctrl-C in it: who wants to stop must not have to press it in the right moment.
        this.#interrupted = false;
        const noteInterrupt = (): void => {
          this.#interrupted = true;
        };
        keyboard.leadTo((text) => {
          if (text.includes(interrupt)) noteInterrupt();
        });
        await this.#screen.suspend();
        // What was typed before the prompt may still stand in buffers on its way here: one turn of the event loop for it.
        await new Promise((resolve) => setImmediate(resolve));
        const reader = new LineReader({
          terminal: true,
          write: (echo, to) => terminal.post(echo, to === "none" ? echo : ""),
          onInterrupt: noteInterrupt,
        });
        this.#reader = reader;
        keyboard.leadTo((text) => reader.feed(text));
        if (this.#inputOver) reader.end();
      },
      read: (echo) => {
        this.#reader?.discard();
        if (this.#interrupted) return Promise.resolve({ kind: "interrupt" });
        return this.#reader?.read(echo) ?? Promise.resolve({ kind: "end" });
      },
      forgetInterrupt: () => {
        this.#interrupted = false;
      },
      untilQuiet: () => keyboard.untilQuiet(quietMs),
      giveBack: async () => {
        if (this.#parts.ending.signal.aborted) return; // what it painted behind a lock stays there
        // What stands behind the answer in the same paste goes nowhere: it may belong to the password.
        this.#reader = undefined;
        keyboard.leadTo(() => undefined);
        await this.#screen.resume();
        this.#leadToUi();
      },
    };
  }

  #take(message: Exclude<ScreenMessage, { type: "suspended" }>): void {
    const running = this.#running;
    switch (message.type) {
      case "line":
        if (running !== undefined || message.id <= this.#lastId) this.#screen.breach("line out of turn");
        else this.#run(message.id, message.text);
        break;
      case "look-up":
        if (running !== undefined) this.#screen.breach("look-up out of turn");
        else this.#lookUp(message.piece);
        break;
      case "more":
        if (running?.id !== message.id || running.page === undefined) this.#screen.breach("more out of turn");
        else running.page.resolve();
        break;
      case "chosen":
        if (!this.#offers.take(message)) this.#screen.breach("chosen out of turn");
        break;
      case "fetch":
      case "watched":
        if (!this.#mayAskForTranscript(message)) this.#screen.breach(`${message.type} out of turn`);
        break;
      case "stop":
        if (message.id > this.#lastId) this.#screen.breach("stop out of turn");
        else if (running?.id === message.id) this.#stopRunning(); // else it crossed the answer's end
        break;
      case "released":
        if (message.id > this.#lastId || message.id === running?.id) this.#screen.breach("released out of turn");
        else this.#screen.face?.glyphs.release(message.id);
        break;
      case "leave":
        this.#parts.ending.end({ exitStatus: 0, reason: this.#inputOver ? "input ended" : "left" });
    }
  }

  #mayAskForTranscript(message: Parameters<TranscriptTurns["take"]>[0] & { readonly id: number }): boolean {
    const running = this.#running;
    if (running?.id === message.id) return running.transcriptTurns.take(message);
    // It crossed the answer's end: the file could not be read any more, or the command was stopped.
    return running === undefined && this.#endedTranscript === message.id;
  }

  /**
   * While a prompt is open no stop counts until it is answered: otherwise a UI process could close the prompt under the
   * user's hands and get the rest of the password they are typing.
   */
  #stopRunning(): void {
    const running = this.#running;
    if (running === undefined) return;
    running.stoppedByUser = true;
    void this.#trustedPath.closed().then(() => running.controller.abort(stopped()));
  }

  async #lost(): Promise<boolean> {
    await this.#trustedPath.closed();
    const running = this.#running;
    running?.controller.abort(stopped());
    await this.#lookUps.stop();
    await running?.ended;
    return running !== undefined;
  }

  #lookUp(piece: string): void {
    const face = this.#screen.face;
    if (face === undefined || this.#farewell !== undefined || this.#parts.ending.signal.aborted) return;
    this.#lookUps.ask(piece, face.ui);
  }

  #run(id: number, text: string): void {
    const face = this.#screen.face;
    if (face === undefined || this.#farewell !== undefined || this.#parts.ending.signal.aborted) return;
    this.#lastId = id;
    clearTimeout(this.#afterInput);
    const running: Running = {
      id,
      controller: new AbortController(),
      page: undefined,
      transcriptTurns: new TranscriptTurns(),
      stoppedByUser: false,
      ended: Promise.resolve(),
    };
    this.#running = running;
    running.ended = this.#begin(running, text, face).catch((error: unknown) => this.#parts.ending.endFrom(error));
  }

  /** A line that was typed ahead, or that a process makes up, does not begin behind a lock. */
  async #begin(running: Running, text: string, face: ScreenFace): Promise<void> {
    await this.#lookUps.stop(); // a line ends the question before it
    await orStopped(this.#unlocked, running.controller.signal).catch(() => undefined); // `invoke` records what was stopped
    if (this.#parts.ending.signal.aborted) this.#running = undefined;
    else await this.#answer(running, text, face);
  }

  async #answer(running: Running, text: string, face: ScreenFace): Promise<void> {
    const { invoke, terminal } = this.#parts;
    let action: "clear" | "exit" | undefined;
    const delivery = createScreenDelivery({
      answerId: running.id,
      face,
      size: () => this.#size,
      trustedPath: this.#trustedPath,
      signal: running.controller.signal,
      mark: (label) => terminal.marker(label),
      transcriptTurns: running.transcriptTurns,
      nextPage: () => this.#nextPage(running),
      chosen: (count) => this.#offers.chosen(running.id, count, running.controller.signal),
      showKey: (shown) => this.#offers.show(shown, running.controller.signal),
      onAction: (asked) => {
        action = asked;
      },
    });
    let outcome: Outcome;
    try {
      outcome = await invoke(withoutPrivateUse(text), delivery, running.controller.signal);
      await terminal.marker(boundaryLabel(outcome));
      const { failure } = outcome;
      if (failure !== undefined && !(running.stoppedByUser && failure.category === "OperationStopped")) {
        const message = screenText(failure.message);
        await face.ui.send({ type: "error", id: running.id, category: failure.category, message });
      }
    } finally {
      this.#endedTranscript = running.transcriptTurns.isOpen ? running.id : undefined;
      this.#running = undefined; // before `end` is sent: the next line may be here before the sending is through
    }
    const { exitStatus, rowCount } = outcome;
    const end = { type: "end", id: running.id, exitStatus, rowCount } as const;
    if (action === "exit") {
      this.#farewell = setTimeout(() => this.#parts.ending.end({ exitStatus: 0, reason: "exit" }), farewellMs);
    }
    await face.ui.send(action === undefined ? end : { ...end, action });
    this.#endAfterInput();
  }

  async #nextPage(running: Running): Promise<void> {
    const { signal } = running.controller;
    running.page = Promise.withResolvers<void>();
    try {
      await orStopped(running.page.promise, signal);
      await orStopped(this.#unlocked, signal);
    } finally {
      running.page = undefined;
    }
  }

  /** `ssh -tt host <file`: lines are still queued in the UI process when the file is over. */
  #endAfterInput(): void {
    // The session's own end ends the input too; a timer then would keep a stopping server from ending.
    if (!this.#inputOver || this.#running !== undefined || this.#parts.ending.signal.aborted) return;
    clearTimeout(this.#afterInput);
    this.#afterInput = setTimeout(() => this.#parts.ending.end({ exitStatus: 0, reason: "input ended" }), afterInputMs);
  }
}
