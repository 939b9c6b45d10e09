import { once } from "node:events";
import { chmod, lstat, mkdir, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { AuditEvent, EventLog } from "../audit/event.ts";
import { codeOf, EndpointError } from "../errors.ts";
import type { Collection } from "../audit/collections.ts";
import type { SiteState } from "../audit/site-events.ts";
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  readMessages,
  type Answer,
  type Question,
  type RecordState,
  type Request,
} from "./messages.ts";

/** sockaddr_un has 108 bytes for the path with its NUL (unix(7)); `.new` is added while the socket is made. */
const longestPath = 108 - 1 - ".new".length;
/** `pep import` needs one; a few may run at a time. */
const mostConnections = 8;
const answerWithinMs = 30_000;
const answerTakenWithinMs = 5_000;
const mostProblems = 10;

/** @returns undefined when no server answers there */
const openConnection = async (path: string): Promise<Socket | undefined> => {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    socket.destroy();
    if (["ENOENT", "ECONNREFUSED"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
};

/** Takes away the socket that a dead server left behind. @throws EndpointError when it is alive, or no socket at all */
const removeStaleSocket = async (path: string): Promise<void> => {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new EndpointError("ResourceExists", `${path} is in the way: it is not the control socket of a server.`);
  }
  const alive = await openConnection(path);
  if (alive !== undefined) {
    alive.destroy();
    throw new EndpointError("ResourceExists", "Another server is running on this data directory.");
  }
  await rm(path, { force: true });
};

/** The log of the server. */
export interface ServedLog extends EventLog {
  siteState(): SiteState | undefined;
  collection(): Collection | undefined;
}

interface ControlSocketOptions {
  readonly path: string;
  readonly log: ServedLog;
  /** Whether the record holds. */
  readonly recordState: () => RecordState;
}

class ControlSocket {
  readonly #path: string;
  readonly #log: ServedLog;
  readonly #recordState: () => RecordState;
  readonly #server: Server;
  /** Open connections, and whether a request of theirs is being put on the record. */
  readonly #busy = new Map<Socket, boolean>();
  readonly #served = new Set<Promise<void>>();
  #closing = false;

  constructor({ path, log, recordState }: ControlSocketOptions) {
    this.#path = path;
    this.#log = log;
    this.#recordState = recordState;
    this.#server = createServer((socket) => {
      const serving = this.#serve(socket).finally(() => this.#served.delete(serving));
      this.#served.add(serving);
    });
    this.#server.maxConnections = mostConnections;
    // accept(2) failed, as when descriptors run out: that client finds no server, the next one may. Without a listener
    // the server would end.
    this.#server.on("error", () => undefined);
  }

  /**
   * The socket is made under another name and renamed when its mode is right: between bind(2) and chmod(2) it would
   * have the mode of the umask, and a umask set for the moment would be every thread's.
   */
  async listen(): Promise<void> {
    const made = `${this.#path}.new`;
    await rm(made, { force: true });
    this.#server.listen(made);
    await once(this.#server, "listening");
    await chmod(made, 0o600);
    await rename(made, this.#path);
  }

  /** One connection: a request, its answer, the next request. Never rejects. */
  async #serve(socket: Socket): Promise<void> {
    this.#busy.set(socket, false);
    // A reset of the connection also ends the loop below; without a listener it would end the server.
    socket.on("error", () => socket.destroy());
    socket.on("timeout", () => socket.destroy());
    try {
      for await (const line of readMessages(socket)) {
        const asked = decodeRequest(line);
        this.#busy.set(socket, true);
        await this.#answer(socket, asked);
        this.#busy.set(socket, false);
        if (this.#closing) break;
      }
      socket.end();
    } catch {
      // Malformed, too long, or gone: whatever it was, this peer is not one of ours, and the server has lost nothing.
      socket.destroy();
    } finally {
      this.#busy.delete(socket);
    }
  }

  async #answerTo(asked: Request): Promise<Answer> {
    if ("ask" in asked) {
      if (asked.ask === "site-state") return { siteState: this.#log.siteState() };
      if (asked.ask === "collection") return { collection: this.#log.collection() ?? null };
      const { problems, ...held } = this.#recordState();
      return { recordState: { problems: problems.slice(0, mostProblems), ...held } };
    }
    return this.#log.append(asked.append).then(
      () => ({ recorded: true }) as const,
      (error: unknown) =>
        ({ recorded: false, message: error instanceof EndpointError ? error.message : "failed" }) as const,
    );
  }

  async #answer(socket: Socket, asked: Request): Promise<void> {
    const answer = await this.#answerTo(asked);
    // A peer that asks and never reads must not keep `close` waiting.
    socket.setTimeout(answerTakenWithinMs);
    await new Promise<void>((resolve, reject) => {
      socket.write(encodeAnswer(answer), (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    socket.setTimeout(0);
  }

  /** Lets requests under way have their answer; closes all else. */
  async close(): Promise<void> {
    this.#closing = true;
    await rm(this.#path, { force: true });
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const [socket, busy] of this.#busy) if (!busy) socket.destroy();
    await Promise.all([closed, ...this.#served]);
  }
}

/**
 * Opens the socket through which a local command puts its events on the running server's record: one process writes it.
 * The file's mode (0600) decides who may connect: the server's own account, and root.
 *
 * @throws EndpointError ResourceExists when another server answers there
 */
export const startControlSocket = async (options: ControlSocketOptions): Promise<{ close(): Promise<void> }> => {
  if (Buffer.byteLength(options.path) > longestPath) {
    throw new EndpointError(
      "InvalidArgument",
      `The data directory's path is too long for a unix socket: ${options.path} may have ${longestPath} bytes.`,
    );
  }
  try {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
    await removeStaleSocket(options.path);
    const control = new ControlSocket(options);
    await control.listen();
    return control;
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    throw new EndpointError(
      "ResourceUnavailable",
      `The control socket can't be opened (${codeOf(error) ?? "unknown error"}).`,
      {
        cause: error,
      },
    );
  }
};

/** The log of the running server, as a local command reaches it. */
export interface RemoteLog extends EventLog {
  siteState(): Promise<SiteState | undefined>;
  /** The last collection of every key. */
  collection(): Promise<Collection | undefined>;
  /** Whether the record holds. */
  recordState(): Promise<RecordState>;
  close(): Promise<void>;
}

const somethingElse = (): Error => new Error("the server answered something else");

class ControlledLog implements RemoteLog {
  readonly #socket: Socket;
  readonly #answers: AsyncGenerator<Uint8Array>;
  /** The request before: the server answers one at a time, in order. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = readMessages(socket);
    // What happened is told by the read or write that it made fail.
    socket.on("error", () => socket.destroy());
    socket.on("timeout", () => socket.destroy(new Error("the server did not answer in time")));
  }

  async append(event: AuditEvent): Promise<void> {
    await this.#inTurn({ append: event }, "The running server could not record this, so it was not done.", (answer) => {
      if ("recorded" in answer && answer.recorded) return;
      throw "recorded" in answer ? new Error(answer.message) : somethingElse();
    });
  }

  siteState(): Promise<SiteState | undefined> {
    return this.#ask("site-state", "what its record has of the site database", (answer) => {
      if ("recorded" in answer || "recordState" in answer || "collection" in answer) throw somethingElse();
      return answer.siteState;
    });
  }

  collection(): Promise<Collection | undefined> {
    return this.#ask("collection", "when the keys were collected last", (answer) => {
      if (!("collection" in answer)) throw somethingElse();
      return answer.collection ?? undefined;
    });
  }

  recordState(): Promise<RecordState> {
    return this.#ask("record-state", "whether its record holds", (answer) => {
      if (!("recordState" in answer)) throw somethingElse();
      return answer.recordState;
    });
  }

  /** @param unsaid in words, what a server that does not know the question leaves unsaid */
  #ask<Result>(ask: Question, unsaid: string, take: (answer: Answer) => Result): Promise<Result> {
    const failure = `The running server does not say ${unsaid}. If it is of an earlier version, restart it.`;
    return this.#inTurn({ ask }, failure, take);
  }

  #inTurn<Result>(request: Request, failure: string, take: (answer: Answer) => Result): Promise<Result> {
    const before = this.#last;
    const answered = (async () => {
      await before;
      try {
        return take(await this.#request(request));
      } catch (error) {
        throw new EndpointError("AuditUnavailable", failure, { cause: error });
      }
    })();
    this.#last = answered.then(undefined, () => undefined);
    return answered;
  }

  async #request(request: Request): Promise<Answer> {
    this.#socket.setTimeout(answerWithinMs);
    try {
      this.#socket.write(encodeRequest(request));
      const next = await this.#answers.next();
      if (next.done === true) throw new Error("the server closed the connection");
      return decodeAnswer(next.value);
    } finally {
      this.#socket.setTimeout(0);
    }
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, "close");
    this.#socket.end();
    this.#socket.destroySoon();
    await closed;
  }
}

/**
 * The running server's log, for a local command of the same machine; undefined when no server listens there.
 * Its `append` takes the events of local commands only and throws AuditUnavailable for all others.
 *
 * @throws EndpointError AuditUnavailable when a server is there but may not be talked to
 */
export const connectControl = async (path: string): Promise<RemoteLog | undefined> => {
  try {
    const socket = await openConnection(path);
    return socket === undefined ? undefined : new ControlledLog(socket);
  } catch (error) {
    throw new EndpointError(
      "AuditUnavailable",
      `The running server's control socket can't be used (${codeOf(error) ?? "unknown error"}): run this as the server's own account.`,
      { cause: error },
    );
  }
};
