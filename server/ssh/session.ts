import type { Refusals } from "./refusals.ts";
import type { AuthenticatedConnection, PseudoTerminal, SessionHost, SessionRequest } from "../session/contract.ts";
import type { RequestRefusal } from "../audit/refusal-reasons.ts";
import { failures } from "../errors.ts";
import type { Limits } from "./limits.ts";
import { readableText } from "./readable-text.ts";
import type { OpenChannel } from "./session-channel.ts";
import type { ChannelMessages } from "./ssh2-internals.ts";
import { createResizes, decodePseudoTerminal, decodeSize } from "./terminal.ts";
import type { Resizes } from "./terminal.ts";

export interface SessionOptions {
  readonly channel: OpenChannel;
  readonly identity: AuthenticatedConnection;
  readonly messages: ChannelMessages;
  readonly limits: Limits;
  readonly refusals: Refusals;
  readonly sessions: SessionHost;
  readonly drop: (guard: string) => void;
  readonly report: (problem: string) => void;
}

/** What a client asks of one session channel (RFC 4254 §6). */
export interface Session {
  request(type: string, wantReply: boolean, details: unknown): void;
  /** The channel is closed: nothing more is asked. */
  stop(): void;
  /** The session layer's part, while it runs. */
  over(): Promise<void> | undefined;
}

/**
 * OpenSSH's client ends on a failure reply to its only request, and throws away standard error that came in the same read.
 * This much later it has shown the sentence.
 */
const sentenceLeadMs = 100;
/** A client may send these without end by design; each costs little. */
const uncounted = new Set(["window-change", "signal", "keepalive@openssh.com"]);

const field = (raw: unknown, name: string): string => {
  const value: unknown = typeof raw === "object" && raw !== null ? Reflect.get(raw, name) : undefined;
  return typeof value === "string" ? value : "";
};

export const createSession = (options: SessionOptions): Session => {
  const { channel, messages, limits, refusals } = options;
  let requests = 0;
  let terminal: PseudoTerminal | undefined;
  let resizes: Resizes | undefined;
  let phase: "new" | "running" | "refused" = "new";
  let serving: Promise<void> | undefined;
  let lead: NodeJS.Timeout | undefined;

  const answer = (granted: boolean, wantReply: boolean): void => {
    if (!wantReply || channel.sentClose) return; // nothing may follow our CLOSE (RFC 4254 §5.3)
    if (granted) messages.channelSuccess(channel.ids.peer);
    else messages.channelFailure(channel.ids.peer);
  };

  const refuse = (request: string, reason: RequestRefusal, detail: string, wantReply: boolean, once?: string): void => {
    refusals.refuse({ request, reason, detail, session: channel, ...(once === undefined ? {} : { once }) });
    answer(false, wantReply);
  };

  /** Refuses what the session was for: says why on standard error, then the failure, then closes. */
  const refuseSession = (request: string, reason: RequestRefusal, sentence: string, wantReply: boolean): void => {
    phase = "refused";
    refusals.refuse({ request, reason, detail: sentence, session: channel });
    channel.writeError(Buffer.from(`${sentence}\r\n`)).catch(() => undefined); // closed, or no window to say it in
    lead = setTimeout(() => {
      answer(false, wantReply);
      channel.close();
    }, sentenceLeadMs);
  };

  const serve = async (request: SessionRequest): Promise<void> => {
    try {
      await options.sessions.serve(options.identity, request, channel);
      if (channel.ending || channel.closed.aborted) return;
      options.report("a session ended without an exit status");
    } catch (error) {
      options.report(`a session failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    await channel.end(failures.InvalidResult.exitStatus);
  };

  const start = (asked: SessionRequest, wantReply: boolean): void => {
    phase = "running";
    const { forcedCommand } = options.identity;
    // As OpenSSH does: what the client asked for is not run, and not an error either.
    const request: SessionRequest =
      forcedCommand === undefined ? asked : { kind: "exec", commandLine: forcedCommand, terminal };
    answer(true, wantReply);
    serving = serve(request).finally(() => {
      serving = undefined;
      resizes?.stop();
    });
  };

  const exec = (rawLine: unknown, wantReply: boolean): void => {
    const commandLine = typeof rawLine === "string" ? rawLine : "";
    if (Buffer.byteLength(commandLine) > limits.execLineBytes) {
      const most = `A command line has at most ${limits.execLineBytes} bytes.`;
      refuseSession("exec", "line too long", most, wantReply);
    } else if (commandLine.includes("\uFFFD")) {
      // ssh2 has replaced invalid bytes by this character; what was sent is lost, so it must not run.
      refuseSession("exec", "line not UTF-8", "A command line must be valid UTF-8.", wantReply);
    } else {
      start({ kind: "exec", commandLine, terminal }, wantReply);
    }
  };

  const shell = (wantReply: boolean): void => {
    const changes = createResizes(terminal ?? { columns: 80, rows: 24 }, limits.resizeIntervalMs);
    resizes = changes;
    start({ kind: "shell", terminal, onResize: (listener) => changes.listen(listener) }, wantReply);
  };

  const windowChange = (details: unknown): void => {
    const size = decodeSize(details);
    if (phase === "running") resizes?.change(size);
    else if (terminal !== undefined) terminal = { ...terminal, ...size };
  };

  const dispatch = (type: string, wantReply: boolean, details: unknown): void => {
    const isStart = type === "exec" || type === "shell" || type === "subsystem";
    if (phase === "refused") answer(false, wantReply);
    else if (isStart && phase === "running") {
      refuse(type, "second command", "This session has its command or shell already.", wantReply);
    } else if (type === "exec") exec(details, wantReply);
    else if (type === "shell") shell(wantReply);
    else if (type === "subsystem") {
      const name = readableText(String(details), 32);
      const sentence = `The subsystem ${name} is not available; this endpoint runs its own commands only.`;
      refuseSession(`subsystem ${name}`, "subsystem", sentence, wantReply);
    } else if (type === "window-change") {
      windowChange(details);
      answer(true, wantReply);
    } else if (type === "pty-req" && options.identity.withoutTerminal === true) {
      refuse(type, "no terminal", "This key or certificate may not have a terminal.", wantReply);
    } else if (type === "pty-req" && phase === "new" && terminal === undefined) {
      terminal = decodePseudoTerminal(details);
      answer(true, wantReply);
    } else if (type === "env") {
      const name = readableText(field(details, "name"), 64);
      refuse("env", "environment", `The environment variable ${name} is not accepted.`, wantReply, `env ${name}`);
    } else if (type === "keepalive@openssh.com") answer(false, wantReply);
    else refuse(type, "not available", `The request ${readableText(type, 64)} is not available.`, wantReply);
  };

  return {
    request: (type, wantReply, details) => {
      if (!uncounted.has(type)) requests += 1;
      if (requests > limits.requestsPerSession) options.drop("session-requests");
      else dispatch(type, wantReply, details);
    },
    stop: () => {
      clearTimeout(lead);
      resizes?.stop();
    },
    over: () => serving,
  };
};
