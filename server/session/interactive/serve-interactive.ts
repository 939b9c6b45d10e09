import type { ClosedTranscript, OpenTranscript, Transcript } from "../../audit/contract.ts";
import type { CommandDescription } from "../../command/define-command.ts";
import { EndpointError, failures } from "../../errors.ts";
import type { AuthenticatedConnection, SessionChannel, SessionRequest, TerminalSize } from "../contract.ts";
import type { Invoke } from "../delivery.ts";
import type { SessionLock } from "../session-lock.ts";
import { Ending, type SessionEnd } from "./ending.ts";
import { holdingNotices } from "./holding-notices.ts";
import { Keyboard } from "./keyboard.ts";
import { LineSession } from "./line-session.ts";
import { RecordedTerminal } from "./recorded-terminal.ts";
import { ScreenSession } from "./screen-session.ts";
import type { ShownSession } from "./shown-session.ts";
import { terminalReset } from "./screen.ts";
import { afterRealTime, startSessionClock, type After } from "./session-clock.ts";
import { trustedMark } from "./trusted-mark.ts";
import type { TrustedPath } from "./trusted-path.ts";
import { whyEnded } from "../standing.ts";
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

type ShellRequest = Extract<SessionRequest, { kind: "shell" }>;

const defaultDrainMs = 8_000;
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
  { isScreen, clearing }: { readonly isScreen: boolean; readonly clearing: string },
  terminal: RecordedTerminal,
): Promise<void> => {
  const reset = `${isScreen ? terminalReset : ""}${end.clears === true ? clearing : ""}`;
  const text = end.message === undefined ? reset : `${reset}\r\n${trustedMark} ${end.message}\r\n`;
  if (end.unrecorded === true) return terminal.writeUnrecorded(text);
  // A full disk may not even take why the session ends; the user is told all the same.
  return end.exitStatus === failures.AuditUnavailable.exitStatus
    ? terminal.aside.write(text).catch(() => terminal.writeUnrecorded(text))
    : terminal.aside.write(text);
};

/**
 * Serves a shell request: a screen, or plain lines where the terminal can't show one. The transcript is open before
 * anything is shown, and closed when it resolves. The caller records the session's end, then ends the channel.
 */
export const serveInteractive = async (
  dependencies: InteractiveDependencies,
  connection: AuthenticatedConnection,
  request: ShellRequest,
  channel: SessionChannel,
): Promise<InteractiveResult> => {
  const size = request.terminal ?? noTerminal;
  const isScreen = request.terminal !== undefined && !/^(?:dumb)?$/i.test(request.terminal.term);
  let transcript: Transcript;
  try {
    transcript = await dependencies.openTranscript({
      sessionId: dependencies.sessionId,
      columns: size.columns,
      rows: size.rows,
      term: size.term,
    });
  } catch (error) {
    return refused(channel, request, error);
  }
  const { fileName } = transcript;
  try {
    await dependencies.onStarted(fileName, isScreen ? "interactive" : "line");
  } catch (error) {
    await transcript.discard().catch(() => undefined); // it is refused all the same; the next start clears it away
    return refused(channel, request, error);
  }

  const ending = new Ending();
  const terminal = new RecordedTerminal(transcript, channel, {
    hasTerminal: request.terminal !== undefined,
    onFailure: (error) => ending.endFrom(error),
  });
  /** The notice is accepted: from now on there is a screen, and keys that may be led elsewhere. */
  let begun = dependencies.noticeToAccept === "";
  const clock = startSessionClock({
    after: afterRealTime,
    ...dependencies,
    atIdleLock: () => {
      if (!begun) return "wait";
      return dependencies.lock.canOpen() ? "lock" : "end";
    },
    // Without a terminal there is no screen to clear, and the next line of a script is no key press.
    idleLockMs: request.terminal === undefined ? undefined : dependencies.idleLockMs,
    lock: () => void lock(),
    warn: (text) => session.notify(text),
    expire: (reason, message) => {
      const end = { exitStatus: failures.OperationTimeout.exitStatus, reason, message };
      ending.end(reason === "longest-session" ? end : { ...end, clears: true });
    },
  });
  const keyboard = new Keyboard(() => clock.input());
  const mayBegin = async (trustedPath: TrustedPath): Promise<boolean> => {
    const { noticeToAccept: notice } = dependencies;
    if (notice === "") return true;
    const accepted = await trustedPath.accept(notice, ending.signal);
    await dependencies.onNoticeAnswered(accepted ? "accepted" : "declined");
    if (!accepted) {
      const message = "The notice was not accepted, so the session was ended.";
      ending.end({ exitStatus: failures.OperationStopped.exitStatus, reason: "notice declined", message });
    }
    begun = accepted;
    return accepted;
  };
  const parts = { ...dependencies, connectedUser: connection.connectedUser, terminal, keyboard, ending, mayBegin };
  const session: ShownSession = isScreen
    ? new ScreenSession(parts, dependencies.uiPool, size)
    : new LineSession(parts, request.terminal);

  const notices = holdingNotices((text) => session.notify(text));
  const lock = async (): Promise<void> => {
    notices.hold();
    try {
      const over = await session.lock(dependencies.lock);
      if (over !== undefined) {
        ending.end({ exitStatus: failures[over.category].exitStatus, reason: over.reason, message: over.text });
        return;
      }
      clock.unlocked();
      notices.release();
    } catch (error) {
      // The input ended, or the session did.
      if (error instanceof EndpointError && error.category === "OperationStopped") {
        ending.end({ exitStatus: 0, reason: "left" });
      } else ending.endFrom(error);
    }
  };
  const onClosed = (): void => ending.endFrom(new EndpointError("OperationStopped", "The channel was closed."));
  channel.closed.addEventListener("abort", onClosed, { once: true });
  if (channel.closed.aborted) onClosed();
  let drainTimer: NodeJS.Timeout | undefined;
  const drain = (): void => {
    session.notify("The server is shutting down.");
    const end = (): void =>
      ending.end({
        exitStatus: failures.ResourceUnavailable.exitStatus,
        reason: "shutdown",
        message: "The server is shutting down, so the session was ended.",
      });
    drainTimer = setTimeout(end, dependencies.drainMs ?? defaultDrainMs);
    void session.idle().then(end);
  };
  const stopListening = dependencies.onCommandsChanged(() => session.commandsChanged());
  const stopNotices = dependencies.onNotice((text) => notices.tell(text));
  const { revoked } = dependencies;
  const revoke = (): void => {
    const why: unknown = revoked.reason;
    if (why instanceof EndpointError) {
      ending.end({ exitStatus: why.exitStatus, reason: whyEnded(why), message: why.message });
      return;
    }
    const { exitStatus } = failures.OperationStopped;
    ending.end({ exitStatus, reason: "rights gone", message: String(why) });
  };

  try {
    session.start();
    request.onResize(
      coalesced(async (newest) => {
        await terminal.resized(newest);
        session.resized(newest);
      }),
    );
    dependencies.shutdown.addEventListener("abort", drain, { once: true });
    if (dependencies.shutdown.aborted) drain();
    revoked.addEventListener("abort", revoke, { once: true });
    if (revoked.aborted) revoke();
    keyboard.run(channel.input, ending.signal).then(
      () => session.inputEnded(),
      () => session.inputEnded(), // the channel is gone: its `closed` signal ends the session
    );
  } catch (error) {
    const message = error instanceof EndpointError ? error.message : "The session could not be started.";
    ending.end({ exitStatus: failures.ResourceUnavailable.exitStatus, reason: "no screen", message });
  }

  const end = await ending.reached;
  clock.stop();
  clearTimeout(drainTimer);
  stopListening();
  stopNotices();
  revoked.removeEventListener("abort", revoke);
  channel.closed.removeEventListener("abort", onClosed);
  dependencies.shutdown.removeEventListener("abort", drain);
  const abandoning = setTimeout(() => terminal.abandon(), goodbyeMs);
  await session.stop();
  await sayGoodbye(end, { isScreen, clearing: session.clearing() }, terminal).catch(() => undefined); // the client or the transcript is gone
  clearTimeout(abandoning);
  return closed(transcript, end);
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
