import type { ToUi } from "../../../ui/protocol.ts";
import { EndpointError } from "../../errors.ts";
import type { ScreenMessage } from "./from-ui.ts";
import { Glyphs } from "./glyphs.ts";
import { Painter } from "./painter.ts";
import type { RecordedTerminal } from "./recorded-terminal.ts";
import type { UiPool } from "./ui-pool.ts";
import type { UiScreen } from "./ui-process.ts";
import type { UiProcessEnd } from "./ui-screen-queue.ts";

/** Rendition, cursor, paste marks and synchronised output as a terminal has them without us. */
export const terminalReset = "\u001b[0m\u001b[?25h\u001b[?2004l\u001b[?2026l";

const suspendMs = 1_000;
const crashesAllowed = 3;
const crashWindowMs = 60_000;

/** What one line's answer is shown on: after a crash the next one is another, and this one takes nothing more. */
export interface ScreenFace {
  readonly ui: UiScreen;
  readonly glyphs: Glyphs;
}

export interface ScreenOwner {
  opening(): Extract<ToUi, { type: "open" }>;
  message(message: Exclude<ScreenMessage, { type: "suspended" }>): Promise<void> | void;
  stopRead(id: number): void;
  /** The UI process is gone: ends what ran on its screen. @returns whether something did */
  lost(): Promise<boolean>;
  /** There will be no screen any more. */
  failed(message: string): void;
}

/** The user's screen: a UI process's output, painted and recorded; a fresh one when that process is gone. */
export class Screen {
  readonly #pool: UiPool;
  readonly #connectedUser: string;
  readonly #terminal: RecordedTerminal;
  readonly #owner: ScreenOwner;
  #face: ScreenFace | undefined;
  #closed = false;
  readonly #lostAtMs: number[] = [];
  /** `suspended` that are still to come: one a `suspend`, perhaps late. */
  #acknowledgementsOwed = 0;
  #acknowledged: PromiseWithResolvers<void> | undefined;

  constructor(pool: UiPool, connectedUser: string, terminal: RecordedTerminal, owner: ScreenOwner) {
    this.#pool = pool;
    this.#connectedUser = connectedUser;
    this.#terminal = terminal;
    this.#owner = owner;
  }

  get face(): ScreenFace | undefined {
    return this.#face;
  }

  get isAlive(): boolean {
    return this.#face?.ui.isAlive === true;
  }

  /** @throws EndpointError ResourceUnavailable when no UI process can be started */
  open({ alone }: { readonly alone: boolean } = { alone: false }): void {
    const glyphs = new Glyphs();
    const painter = new Painter(glyphs);
    this.#acknowledgementsOwed = 0;
    const ui = this.#pool.openScreen(
      this.#connectedUser,
      {
        terminal: async (bytes) => {
          const { shown, recorded } = painter.paint(bytes);
          // A failure ends the session by way of the terminal's owner.
          if (shown !== "") await this.#terminal.write(shown, recorded).catch(() => undefined);
        },
        message: (message) => this.#take(message),
        stopRead: (id) => this.#owner.stopRead(id),
        gone: (end) => void this.#reopen(end),
      },
      { alone },
    );
    this.#face = { ui, glyphs };
    void ui.send(this.#owner.opening());
  }

  async send(message: ToUi): Promise<void> {
    await this.#face?.ui.send(message);
  }

  async type(text: string): Promise<void> {
    await this.#face?.ui.type(text);
  }

  breach(detail: string): void {
    this.#face?.ui.breach(detail);
  }

  /** Takes the terminal from the UI process. Resolves when what it painted before is shown, or after a second. */
  async suspend(): Promise<void> {
    const ui = this.#face?.ui;
    if (this.#closed || ui?.isAlive !== true) return;
    const acknowledged = Promise.withResolvers<void>();
    this.#acknowledged = acknowledged;
    this.#acknowledgementsOwed += 1;
    void ui.send({ type: "suspend" });
    const timer = setTimeout(acknowledged.resolve, suspendMs);
    await acknowledged.promise;
    clearTimeout(timer);
    this.#acknowledged = undefined;
    ui.hold();
  }

  async resume(): Promise<void> {
    const ui = this.#face?.ui;
    const told = ui?.send({ type: "resume" });
    // Not after it was taken: a process that waits until its output is delivered takes nothing.
    ui?.release();
    await told;
  }

  close(): void {
    this.#closed = true;
    this.#face?.ui.close();
  }

  #take(message: ScreenMessage): Promise<void> | void {
    if (message.type !== "suspended") return this.#owner.message(message);
    if (this.#acknowledgementsOwed === 0) {
      this.breach("suspended out of turn");
      return undefined;
    }
    this.#acknowledgementsOwed -= 1;
    if (this.#acknowledged === undefined) return undefined; // late: `suspend` did not wait for it
    // At once, not when `suspend` goes on: the next frame may be there already.
    this.#face?.ui.hold();
    this.#acknowledged.resolve();
    return undefined;
  }

  async #reopen(end: UiProcessEnd): Promise<void> {
    this.#acknowledged?.resolve();
    this.#face?.ui.close();
    const wasRunning = await this.#owner.lost();
    if (this.#closed) return;
    if (end.cause === "closed") {
      this.#owner.failed("The server is shutting down.");
      return;
    }
    const nowMs = performance.now();
    this.#lostAtMs.push(nowMs);
    if (this.#lostAtMs.filter((atMs) => nowMs - atMs < crashWindowMs).length >= crashesAllowed) {
      this.#owner.failed("The screen stopped three times within a minute, so the session was ended. Log in again.");
      return;
    }
    this.#terminal.post(`${terminalReset}\r\n`);
    try {
      this.open({ alone: true });
    } catch (error) {
      this.#owner.failed(error instanceof EndpointError ? error.message : "The screen could not be started again.");
      return;
    }
    const stopped = wasRunning ? " The command that was running was stopped." : "";
    await this.send({ type: "notice", text: `The screen stopped and was started again.${stopped}` });
  }
}
