import type { CommandDescription } from "../../command/define-command.ts";
import type { TerminalSize } from "../contract.ts";
import type { Invoke } from "../delivery.ts";
import type { LockOver, SessionLock } from "../session-lock.ts";
import type { Ending } from "./ending.ts";
import type { Keyboard } from "./keyboard.ts";
import type { After } from "./session-clock.ts";
import type { RecordedTerminal } from "./recorded-terminal.ts";
import type { TrustedPath } from "./trusted-path.ts";

/** What the screen and plain line mode have in common, for who ends, resizes and warns them. */
export interface SessionMode {
  /** Throws when it can't be shown at all. */
  start(): void;
  /** The client sends nothing more. */
  inputEnded(): void;
  resized(size: TerminalSize): void;
  commandsChanged(): void;
  /** Tells the user something at any time. */
  notify(text: string): void;
  /**
   * Clears the screen and waits for a code; nothing begins behind it. Rejects when the input ends or the session does.
   *
   * @returns why the session has to end; `undefined`: a code opened the lock
   */
  lock(lock: SessionLock): Promise<LockOver | undefined>;
  /** What takes everything off the screen, with the scrollback where the terminal can. */
  clearing(): string;
  /** What takes a key off the screen that is still on it when the session ends; empty: none is. */
  leaving(): string;
  /** Resolves when no command runs. */
  idle(): Promise<void>;
  /** Stops what runs; resolves when it has ended. */
  stop(): Promise<void>;
}

export interface SessionModeParts {
  readonly invoke: Invoke;
  readonly visibleCommands: () => readonly CommandDescription[];
  readonly connectedUser: string;
  readonly endpointName: string;
  readonly welcome: string;
  readonly terminal: RecordedTerminal;
  readonly keyboard: Keyboard;
  readonly ending: Ending;
  readonly after: After;
  /** How long a key stays on the screen after the last key press. */
  readonly keyShownMs: number;
  /** Asked before the first prompt. @returns whether the session may begin; where not, it was ended */
  readonly mayBegin: (trustedPath: TrustedPath) => Promise<boolean>;
}
