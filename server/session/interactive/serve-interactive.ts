import type { ClosedTranscript, OpenTranscript, Transcript } from "../../audit/contract.ts";
import type { CommandDescription } from "../../command/define-command.ts";
import { EndpointError, failures } from "../../errors.ts";
import type { PseudoTerminal, SessionChannel, ShellRequest, TerminalSize } from "../contract.ts";
import type { AuthenticatedConnection } from "../../identity/log-in.ts";
import type { Invoke } from "../delivery.ts";
import type { SessionLock } from "../session-lock.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { holdingNotices } from "./holding-notices.ts";
import { Keyboard } from "./keyboard.ts";
import { LineSession } from "./line-session.ts";
import { RecordedTerminal } from "./recorded-terminal.ts";
import { ScreenSession } from "./screen-session.ts";
import type { SessionMode, SessionModeParts } from "./session-mode.ts";
import { terminalReset } from "./screen.ts";
import { afterRealTime, startSessionClock, type After, type SessionClock } from "./session-clock.ts";
import { trustedMark } from "./screen-text.ts";
import type { TrustedPath } from "./trusted-path.ts";
import { whyEnded } from "../rights-gone.ts";
import type { UiPool } from "./ui-pool.ts";

export interface InteractiveDependencies {
  /** This session's only way to a command. */
  readonly invoke: Invoke;
  readonly sessionId: string;
  readonly visibleCommands: () => readonly CommandDescription[];
  /** @returns how to stop listening */
  readonly onCommandsChanged: (listener: () => void) => () => void;
  /** A line for this user at any time. @returns how to stop listening */
  readonly onNotice: (listener: (text: string) => void) => () => void;
  /** Aborts when this user may be here no longer; its reason is a sentence for them, or the failure that ends all sessions. */
  readonly revoked: AbortSignal;
  readonly uiPool: UiPool;
  readonly openTranscript: OpenTranscript;
  readonly endpointName: string;
  readonly welcome: string;
  readonly after?: After;
  readonly keyShownMs?: number;
  /** Where there is a terminal: when its screen is cleared and locked, or the session ends where nothing could open a lock. */
  readonly idleLockMs: number;
  readonly idleTimeoutMs: number;
  readonly longestSessionMs: number;
  /** Aborts when the server stops: an idle session ends at once, a running command may finish within `drainMs`. */
  readonly shutdown: AbortSignal;
  readonly drainMs?: number;
  /** What must be accepted before the first prompt; empty: nothing. */
  readonly noticeToAccept: string;
  readonly onNoticeAnswered: (answer: "accepted" | "declined") => Promise<void>;
  readonly lock: SessionLock;
  /** Puts the session's start on the record; before it resolves nothing is shown. */
  readonly onStarted: (transcriptFile: string, mode: "interactive" | "line") => Promise<void>;
}

export interface InteractiveResult {
  readonly exitStatus: number;
  readonly transcriptFile?: string;
  /** Absent where it could not be closed. */
  readonly transcript?: ClosedTranscript;
  readonly reason?: string;
}

const defaultDrainMs = 8_000;
/** Long enough to read eight groups to somebody, each twice: every group that is typed begins the time anew. */
const defaultKeyShownMs = 60_000;
/** How long a client that doesn't read may hold up the end of its session. */
const goodbyeMs = 2_000;
/** Size of a session without a terminal, for the transcript. */
const noTerminal = { columns: 80, rows: 24, term: "" };
const encoder = new TextEncoder();

/** Window changes come in streams while a window is dragged: one at a time, the newest. */
const coalesced = (apply: (size: TerminalSize) => Promise<void>): ((size: TerminalSize) => void) => {
  let newest: TerminalSize | undefined;
  let applying = false;
  const applyAll = async (): Promise<void> => {
    applying = true;
    try {
      while (newest !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        const size = newest;
        newest = undefined;
        await apply(size);
      }
    } finally {
      applying = false;
    }
  };
  return (size) => {
    newest = size;
    if (!applying) applyAll().catch(() => undefined); // the terminal's failure ends the session by itself
  };
};

const refused = async (channel: SessionChannel, request: ShellRequest, error: unknown): Promise<InteractiveResult> => {
  if (!(error instanceof EndpointError)) throw error;
  const lineEnd = request.terminal === undefined ? "\n" : "\r\n";
  const message = `${trustedMark} This session can't be recorded, so it was not started.${lineEnd}`;
  await channel.writeError(encoder.encode(message)).catch(() => undefined); // who hung up needs no message
  return { exitStatus: failures.AuditUnavailable.exitStatus, reason: "transcript unavailable" };
};

/** The last thing the user sees. */
const sayGoodbye = (
  end: SessionEnd,
  { isScreen, leaving, clearing }: { readonly isScreen: boolean; readonly leaving: string; readonly clearing: string },
  terminal: RecordedTerminal,
): Promise<void> => {
  const reset = `${leaving}${isScreen ? terminalReset : ""}${end.clears === true ? clearing : ""}`;
  const text = end.message === undefined ? reset : `${reset}\r\n${trustedMark} ${end.message}\r\n`;
  if (end.unrecorded === true) return terminal.writeUnrecorded(text);
  // A full disk may not even take why the session ends; the user is told all the same.
  return end.exitStatus === failures.AuditUnavailable.exitStatus
    ? terminal.aside.write(text).catch(() => terminal.writeUnrecorded(text))
    : terminal.aside.write(text);
};

/** A shell whose start is on the record. */
interface Shell {
  readonly dependencies: InteractiveDependencies;
  readonly connectedUser: string;
  readonly request: ShellRequest;
  readonly channel: SessionChannel;
  readonly transcript: Transcript;
  /** A screen, or plain lines where the terminal can't show one. */
  readonly isScreen: boolean;
}

/** One interactive session from its first byte shown to its last: what it is made of, and what may end it. */
class InteractiveSession {
  readonly #shell: Shell;
  readonly #ending = new Ending();
  readonly #terminal: RecordedTerminal;
  readonly #clock: SessionClock;
  readonly #keyboard: Keyboard;
  readonly #session: SessionMode;
  readonly #notices = holdingNotices((text) => this.#session.notify(text));
  /** The notice is accepted: from now on there is a screen, and keys that may be led elsewhere. */
  #begun: boolean;
  #drainTimer: NodeJS.Timeout | undefined;
  readonly #atEnd: (() => void)[] = [];

  constructor(shell: Shell) {
    this.#shell = shell;
    const { dependencies, connectedUser, request, channel, transcript, isScreen } = shell;
    this.#begun = dependencies.noticeToAccept === "";
    this.#terminal = new RecordedTerminal(transcript, channel, {
      hasTerminal: request.terminal !== undefined,
      onFailure: (error) => this.#ending.endFrom(error),
    });
    this.#clock = this.#startClock();
    this.#keyboard = new Keyboard(() => this.#clock.input());
    const parts: SessionModeParts = {
      ...dependencies,
      connectedUser,
      terminal: this.#terminal,
      keyboard: this.#keyboard,
      ending: this.#ending,
      after: dependencies.after ?? afterRealTime,
      keyShownMs: dependencies.keyShownMs ?? defaultKeyShownMs,
      mayBegin: (trustedPath) => this.#mayBegin(trustedPath),
    };
    this.#session = isScreen
      ? new ScreenSession(parts, dependencies.uiPool, request.terminal ?? noTerminal)
      : new LineSession(parts, request.terminal);
  }

  /** @returns how it ended; nothing of it runs any more, and its user was told */
  async run(): Promise<SessionEnd> {
    this.#start();
    const end = await this.#ending.reached;
    this.#clock.stop();
    clearTimeout(this.#drainTimer);
    for (const stop of this.#atEnd) stop();
    const abandoning = setTimeout(() => this.#terminal.abandon(), goodbyeMs);
    await this.#session.stop();
    const { isScreen } = this.#shell;
    const screen = { isScreen, leaving: this.#session.leaving(), clearing: this.#session.clearing() };
    await sayGoodbye(end, screen, this.#terminal).catch(() => undefined); // the client or the transcript is gone
    clearTimeout(abandoning);
    return end;
  }

  #startClock(): SessionClock {
    const { dependencies, request } = this.#shell;
    const { idleLockMs, idleTimeoutMs, longestSessionMs, after = afterRealTime } = dependencies;
    return startSessionClock({
      after,
      atIdleLock: () => {
        if (!this.#begun) return "wait";
        return dependencies.lock.canOpen() ? "lock" : "end";
      },
      // Without a terminal there is no screen to clear, and the next line of a script is no key press.
      idleLockMs: request.terminal === undefined ? undefined : idleLockMs,
      idleTimeoutMs,
      longestSessionMs,
      lock: () => void this.#lock(),
      warn: (text) => this.#session.notify(text),
      expire: (reason, message) => {
        const end = { exitStatus: failures.OperationTimeout.exitStatus, reason, message };
        this.#ending.end(reason === "longest-session" ? end : { ...end, clears: true });
      },
    });
  }

  async #mayBegin(trustedPath: TrustedPath): Promise<boolean> {
    const { noticeToAccept: notice, onNoticeAnswered } = this.#shell.dependencies;
    if (notice === "") return true;
    const accepted = await trustedPath.accept(notice, this.#ending.signal);
    await onNoticeAnswered(accepted ? "accepted" : "declined");
    if (!accepted) {
      const message = "The notice was not accepted, so the session was ended.";
      this.#ending.end({ exitStatus: failures.OperationStopped.exitStatus, reason: "notice declined", message });
    }
    this.#begun = accepted;
    return accepted;
  }

  async #lock(): Promise<void> {
    this.#notices.hold();
    try {
      const over = await this.#session.lock(this.#shell.dependencies.lock);
      if (over !== undefined) {
        this.#ending.end({ exitStatus: failures[over.category].exitStatus, reason: over.reason, message: over.text });
        return;
      }
      this.#clock.unlocked();
      this.#notices.release();
    } catch (error) {
      // The input ended, or the session did.
      if (error instanceof EndpointError && error.category === "OperationStopped") {
        this.#ending.end({ exitStatus: 0, reason: "left" });
      } else this.#ending.endFrom(error);
    }
  }

  #start(): void {
    const { dependencies, request, channel } = this.#shell;
    this.#when(channel.closed, () =>
      this.#ending.endFrom(new EndpointError("OperationStopped", "The channel was closed.")),
    );
    this.#atEnd.push(
      dependencies.onCommandsChanged(() => this.#session.commandsChanged()),
      dependencies.onNotice((text) => this.#notices.tell(text)),
    );
    try {
      this.#session.start();
      request.onResize(
        coalesced(async (newest) => {
          await this.#terminal.resized(newest);
          this.#session.resized(newest);
        }),
      );
      this.#when(dependencies.shutdown, () => this.#drain());
      this.#when(dependencies.revoked, () => this.#revoke());
      const inputEnded = (): void => this.#session.inputEnded();
      // Where the channel is gone its `closed` signal ends the session.
      this.#keyboard.run(channel.input, this.#ending.signal).then(inputEnded, inputEnded);
    } catch (error) {
      const message = error instanceof EndpointError ? error.message : "The session could not be started.";
      this.#ending.end({ exitStatus: failures.ResourceUnavailable.exitStatus, reason: "no screen", message });
    }
  }

  /** Acts when the signal aborts, or now where it has, until the session ends. */
  #when(signal: AbortSignal, act: () => void): void {
    signal.addEventListener("abort", act, { once: true });
    this.#atEnd.push(() => signal.removeEventListener("abort", act));
    if (signal.aborted) act();
  }

  #drain(): void {
    this.#session.notify("The server is shutting down.");
    const end = (): void =>
      this.#ending.end({
        exitStatus: failures.ResourceUnavailable.exitStatus,
        reason: "shutdown",
        message: "The server is shutting down, so the session was ended.",
      });
    this.#drainTimer = setTimeout(end, this.#shell.dependencies.drainMs ?? defaultDrainMs);
    void this.#session.idle().then(end);
  }

  #revoke(): void {
    const why: unknown = this.#shell.dependencies.revoked.reason;
    if (why instanceof EndpointError) {
      this.#ending.end({ exitStatus: why.exitStatus, reason: whyEnded(why), message: why.message });
      return;
    }
    const { exitStatus } = failures.OperationStopped;
    this.#ending.end({ exitStatus, reason: "rights gone", message: String(why) });
  }
}

/** Puts the start of a session on the record. @throws EndpointError AuditUnavailable; nothing may be shown then */
const openOnRecord = async (
  { openTranscript, onStarted, sessionId }: InteractiveDependencies,
  { columns, rows, term }: PseudoTerminal,
  mode: "interactive" | "line",
): Promise<Transcript> => {
  const transcript = await openTranscript({ sessionId, columns, rows, term });
  try {
    await onStarted(transcript.fileName, mode);
  } catch (error) {
    await transcript.discard().catch(() => undefined); // it is refused all the same; the next start clears it away
    throw error;
  }
  return transcript;
};

/**
 * Serves a shell request: a screen, or plain lines where the terminal can't show one. The transcript is open before
 * anything is shown, and closed when it resolves. The caller records the session's end, then ends the channel.
 */
export const serveInteractive = async (
  dependencies: InteractiveDependencies,
  { connectedUser }: AuthenticatedConnection,
  request: ShellRequest,
  channel: SessionChannel,
): Promise<InteractiveResult> => {
  const isScreen = request.terminal !== undefined && !/^(?:dumb)?$/i.test(request.terminal.term);
  let transcript: Transcript;
  try {
    const mode = isScreen ? "interactive" : "line";
    transcript = await openOnRecord(dependencies, request.terminal ?? noTerminal, mode);
  } catch (error) {
    return refused(channel, request, error);
  }
  const shell = { dependencies, connectedUser, request, channel, transcript, isScreen };
  return closed(transcript, await new InteractiveSession(shell).run());
};

const closed = async (transcript: Transcript, end: SessionEnd): Promise<InteractiveResult> => {
  const { fileName: transcriptFile } = transcript;
  try {
    const closedTranscript = await transcript.close(end.exitStatus);
    return { exitStatus: end.exitStatus, transcriptFile, transcript: closedTranscript, reason: end.reason };
  } catch {
    // The record of the session is not whole: whatever it ended with, that is what counts.
    return { exitStatus: failures.AuditUnavailable.exitStatus, transcriptFile, reason: "transcript unavailable" };
  }
};
