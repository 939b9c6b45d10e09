import type { Refusals } from "./refusals.ts";
import type { PseudoTerminal, SessionHost, SessionRequest } from "../session/contract.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";
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

type RefusedRequest = Omit<Parameters<Refusals["refuse"]>[0], "session">;

const field = (raw: unknown, name: string): string => {
  const value: unknown = typeof raw === "object" && raw !== null ? Reflect.get(raw, name) : undefined;
  return typeof value === "string" ? value : "";
};

/** What one client asks of one channel, and how far its session is. */
class ClientSession implements Session {
  readonly #options: SessionOptions;
  #requests = 0;
  #terminal: PseudoTerminal | undefined;
  #resizes: Resizes | undefined;
  #phase: "new" | "running" | "refused" = "new";
  #serving: Promise<void> | undefined;
  #lead: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  request(type: string, wantReply: boolean, details: unknown): void {
    if (!uncounted.has(type)) this.#requests += 1;
    if (this.#requests > this.#options.limits.requestsPerSession) this.#options.drop("session-requests");
    else this.#dispatch(type, wantReply, details);
  }

  stop(): void {
    clearTimeout(this.#lead);
    this.#resizes?.stop();
  }

  over(): Promise<void> | undefined {
    return this.#serving;
  }

  #dispatch(type: string, wantReply: boolean, details: unknown): void {
    const isStart = type === "exec" || type === "shell" || type === "subsystem";
    if (this.#phase === "refused") this.#answer(false, wantReply);
    else if (isStart && this.#phase === "running") {
      const detail = "This session has its command or shell already.";
      this.#refuse({ request: type, reason: "second command", detail }, wantReply);
    } else if (type === "exec") this.#exec(details, wantReply);
    else if (type === "shell") this.#shell(wantReply);
    else if (type === "subsystem") {
      const name = readableText(String(details), 32);
      const detail = `The subsystem ${name} is not available; this endpoint runs its own commands only.`;
      this.#refuseSession({ request: `subsystem ${name}`, reason: "subsystem", detail }, wantReply);
    } else if (type === "window-change") {
      this.#windowChange(details);
      this.#answer(true, wantReply);
    } else if (type === "pty-req" && this.#options.identity.withoutTerminal === true) {
      const detail = "This key or certificate may not have a terminal.";
      this.#refuse({ request: type, reason: "no terminal", detail }, wantReply);
    } else if (type === "pty-req" && this.#phase === "new" && this.#terminal === undefined) {
      this.#terminal = decodePseudoTerminal(details);
      this.#answer(true, wantReply);
    } else if (type === "env") {
      const name = readableText(field(details, "name"), 64);
      const detail = `The environment variable ${name} is not accepted.`;
      this.#refuse({ request: "env", reason: "environment", detail, once: `env ${name}` }, wantReply);
    } else if (type === "keepalive@openssh.com") this.#answer(false, wantReply);
    else {
      const detail = `The request ${readableText(type, 64)} is not available.`;
      this.#refuse({ request: type, reason: "not available", detail }, wantReply);
    }
  }

  #answer(granted: boolean, wantReply: boolean): void {
    const { channel, messages } = this.#options;
    if (!wantReply || channel.sentClose) return; // nothing may follow our CLOSE (RFC 4254 §5.3)
    if (granted) messages.channelSuccess(channel.ids.peer);
    else messages.channelFailure(channel.ids.peer);
  }

  #refuse(refused: RefusedRequest, wantReply: boolean): void {
    this.#options.refusals.refuse({ ...refused, session: this.#options.channel });
    this.#answer(false, wantReply);
  }

  /** Refuses what the session was for: says why on standard error, then the failure, then closes. */
  #refuseSession(refused: RefusedRequest, wantReply: boolean): void {
    const { channel, refusals } = this.#options;
    this.#phase = "refused";
    refusals.refuse({ ...refused, session: channel });
    channel.writeError(Buffer.from(`${refused.detail}\r\n`)).catch(() => undefined); // closed, or no window to say it in
    this.#lead = setTimeout(() => {
      this.#answer(false, wantReply);
      channel.close();
    }, sentenceLeadMs);
  }

  #exec(rawLine: unknown, wantReply: boolean): void {
    const { execLineBytes } = this.#options.limits;
    const commandLine = typeof rawLine === "string" ? rawLine : "";
    if (Buffer.byteLength(commandLine) > execLineBytes) {
      const detail = `A command line has at most ${execLineBytes} bytes.`;
      this.#refuseSession({ request: "exec", reason: "line too long", detail }, wantReply);
    } else if (commandLine.includes("\uFFFD")) {
      // ssh2 has replaced invalid bytes by this character; what was sent is lost, so it must not run.
      const detail = "A command line must be valid UTF-8.";
      this.#refuseSession({ request: "exec", reason: "line not UTF-8", detail }, wantReply);
    } else {
      this.#start({ kind: "exec", commandLine, terminal: this.#terminal }, wantReply);
    }
  }

  #shell(wantReply: boolean): void {
    const terminal = this.#terminal;
    const changes = createResizes(terminal ?? { columns: 80, rows: 24 }, this.#options.limits.resizeIntervalMs);
    this.#resizes = changes;
    this.#start({ kind: "shell", terminal, onResize: (listener) => changes.listen(listener) }, wantReply);
  }

  #windowChange(details: unknown): void {
    const size = decodeSize(details);
    if (this.#phase === "running") this.#resizes?.change(size);
    else if (this.#terminal !== undefined) this.#terminal = { ...this.#terminal, ...size };
  }

  #start(asked: SessionRequest, wantReply: boolean): void {
    this.#phase = "running";
    const { forcedCommand } = this.#options.identity;
    // As OpenSSH does: what the client asked for is not run, and not an error either.
    const request: SessionRequest =
      forcedCommand === undefined ? asked : { kind: "exec", commandLine: forcedCommand, terminal: this.#terminal };
    this.#answer(true, wantReply);
    this.#serving = this.#serve(request).finally(() => {
      this.#serving = undefined;
      this.#resizes?.stop();
    });
  }

  async #serve(request: SessionRequest): Promise<void> {
    const { channel, identity, report, sessions } = this.#options;
    try {
      await sessions.serve(identity, request, channel);
      if (channel.ending || channel.closed.aborted) return;
      report("a session ended without an exit status");
    } catch (error) {
      report(`a session failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    await channel.end(failures.InvalidResult.exitStatus);
  }
}

export const createSession = (options: SessionOptions): Session => new ClientSession(options);
