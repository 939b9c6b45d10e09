import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { ByteWriter } from "./bytes.ts";
import type { Break, FaultBook, Faults, Stage } from "./faults.ts";
import { agreedPacketSize, agreedVersion, clientEncryption, decodeLogin, encryption, preloginAnswer } from "./login.ts";
import type { LoginRecord } from "./login.ts";
import { firstPacketSize, MessageReader, MessageWriter, packetType } from "./packets.ts";
import type { Message } from "./packets.ts";
import { answerRequest } from "./answer.ts";
import type { OnQuery } from "./answer.ts";
import { RequestOver } from "./respond.ts";
import { PreparedStatements } from "./rpc.ts";
import type { TdsRequest } from "./rpc.ts";
import { PreloginFraming, serverTls } from "./tls.ts";
import type { TlsIdentity } from "./tls.ts";
import { doneStatus, tokenType, writeDone, writeLoginAnswer, writeMessage } from "./tokens.ts";
import type { ServerMessage } from "./tokens.ts";

/** What a connection needs of its server. */
export interface SessionContext {
  readonly identity: TlsIdentity;
  readonly strictAllowed: boolean;
  readonly largestPacketSize: number;
  readonly nullBitmapRows: boolean;
  readonly faults: FaultBook;
  readonly onQuery: OnQuery;
  /** The errors that refuse a login, or nothing. */
  readonly checkLogin: (login: LoginRecord) => readonly ServerMessage[] | undefined;
  readonly recordLogin: (login: LoginRecord) => void;
  readonly recordRequest: (request: TdsRequest) => void;
  readonly recordAttention: () => void;
  /** What this server could not make sense of. */
  readonly report: (problem: string) => void;
}

const firstByteOfTls = 0x16;

/** One connection, from the first byte to the last. */
export class TdsSession {
  readonly #socket: Socket;
  readonly #number: number;
  readonly #context: SessionContext;
  readonly #reader = new MessageReader();
  readonly #prepared = new PreparedStatements();
  #stream: Duplex;
  #strict = false;
  #stalled = false;
  #packetSize = firstPacketSize;
  #login: LoginRecord | undefined;
  #queue: Promise<void> = Promise.resolve();
  /** The request being answered. */
  #current: AbortController | undefined;
  #attentionWaits = false;

  constructor(socket: Socket, number: number, context: SessionContext) {
    this.#socket = socket;
    this.#stream = socket;
    this.#number = number;
    this.#context = context;
    socket.setNoDelay(true);
    // A lost connection shows as 'close'; without a listener it would end the test run.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#current?.abort());
    if (!this.#breaksAt("accept")) socket.once("data", (chunk: Buffer) => this.#firstBytes(chunk));
    else socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  get #faults(): Faults {
    return this.#context.faults.of(this.#number);
  }

  #breaksAt(stage: Stage): boolean {
    const kind = this.#faults.at?.[stage];
    if (kind === undefined) return false;
    this.#break(kind);
    return true;
  }

  #break(kind: Break): void {
    this.#stalled = true;
    if (kind === "drop") this.#socket.destroySoon();
    if (kind === "reset") this.#socket.resetAndDestroy();
  }

  /** TDS 8.0 begins with TLS, everything before it with PRELOGIN: the first byte tells. */
  #firstBytes(chunk: Buffer): void {
    if (chunk[0] !== firstByteOfTls || !this.#context.strictAllowed) {
      this.#readFrom(this.#socket);
      this.#feed(chunk);
      return;
    }
    this.#strict = true;
    if (this.#breaksAt("tls")) return;
    this.#socket.pause();
    this.#socket.unshift(chunk);
    this.#secure(this.#socket);
  }

  #secure(inner: Duplex): void {
    const secured = serverTls(inner, this.#faults.identity ?? this.#context.identity, this.#strict);
    // The client's refusal of our certificate arrives here; what it means is the client's to say.
    secured.on("error", () => this.#socket.destroy());
    secured.on("close", () => this.#socket.destroy());
    this.#readFrom(secured);
  }

  #readFrom(stream: Duplex): void {
    this.#stream.off("data", this.#feed);
    this.#stream = stream;
    stream.on("data", this.#feed);
  }

  readonly #feed = (chunk: Buffer): void => {
    if (this.#stalled) return;
    try {
      for (const message of this.#reader.feed(chunk)) this.#take(message);
    } catch (error) {
      this.#fail(error);
    }
  };

  #fail(error: unknown): void {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    this.#context.report(cause instanceof Error ? `${message}: ${cause.message}` : message);
    this.#socket.destroy();
  }

  #take(message: Message): void {
    if (message.type === packetType.attention) {
      this.#attention();
    } else if (message.type === packetType.prelogin) {
      this.#prelogin(message.body);
    } else {
      this.#queue = this.#queue.then(() => this.#answer(message)).catch((error: unknown) => this.#fail(error));
    }
  }

  #writer(type: number = packetType.reply): MessageWriter {
    const { bytesPerWrite } = this.#faults;
    return new MessageWriter(this.#stream, { packetSize: this.#packetSize, type, bytesPerWrite });
  }

  #prelogin(body: Buffer): void {
    if (this.#breaksAt("prelogin")) return;
    const clear = this.#strict || this.#faults.downgrade === true;
    const wanted = clientEncryption(body) === encryption.on ? encryption.on : encryption.required;
    const writer = this.#writer();
    writer.put(preloginAnswer(clear ? encryption.notSupported : wanted));
    writer.end();
    if (clear || this.#breaksAt("tls")) return;
    this.#socket.off("data", this.#feed);
    this.#secure(new PreloginFraming(this.#socket));
  }

  #attention(): void {
    this.#context.recordAttention();
    if (this.#faults.ignoreAttention === true) return;
    if (this.#current === undefined) {
      this.#acknowledgeAttention();
      return;
    }
    this.#attentionWaits = true;
    this.#current.abort();
  }

  /** A message of its own, as the reply before it may have ended already ([MS-TDS] 3.3.5.7). */
  #acknowledgeAttention(): void {
    const out = new ByteWriter();
    writeDone(out, tokenType.done, doneStatus.attention, 0);
    const writer = this.#writer();
    writer.put(out.written);
    writer.end();
  }

  async #answer({ type, body, ignored }: Message): Promise<void> {
    if (this.#stalled || this.#stream.destroyed) return;
    if (type === packetType.login7) {
      this.#answerLogin(body);
      return;
    }
    if (ignored) return;
    if (type !== packetType.batch && type !== packetType.rpc)
      throw new Error(`messages of type ${type} are not supported`);
    if (this.#login === undefined) throw new Error("a request before the login");
    const running = new AbortController();
    this.#current = running;
    try {
      await answerRequest(type, body, {
        login: this.#login,
        prepared: this.#prepared,
        signal: running.signal,
        faults: () => this.#faults,
        breaksAt: (stage) => this.#breaksAt(stage),
        break: (kind) => this.#break(kind),
        writer: () => this.#writer(),
        attentionWaits: () => this.#attentionWaits,
        onQuery: this.#context.onQuery,
        recordRequest: this.#context.recordRequest,
        nullBitmapRows: this.#context.nullBitmapRows,
      });
    } catch (error) {
      if (!(error instanceof RequestOver) && !running.signal.aborted) throw error;
    } finally {
      this.#current = undefined;
    }
    if (!this.#attentionWaits) return;
    this.#attentionWaits = false;
    if (!this.#stream.destroyed) this.#acknowledgeAttention();
  }

  #answerLogin(body: Buffer): void {
    const stream = this.#stream;
    const secured = stream instanceof TLSSocket ? stream : undefined;
    const login: LoginRecord = {
      ...decodeLogin(body),
      connection: this.#number,
      strict: this.#strict,
      tls: secured?.getProtocol() ?? "none",
      // `false` where nothing was agreed.
      alpn: typeof secured?.alpnProtocol === "string" ? secured.alpnProtocol : "",
    };
    this.#context.recordLogin(login);
    if (this.#breaksAt("login")) return;
    const out = new ByteWriter();
    const refusal = this.#context.faults.takeRefusal(this.#number) ?? this.#context.checkLogin(login);
    const writer = this.#writer();
    const packetSize = agreedPacketSize(login.packetSize, this.#context.largestPacketSize);
    if (refusal === undefined) {
      this.#login = login;
      const tdsVersion = agreedVersion(login.tdsVersion, this.#strict);
      const database = login.database === "" ? "master" : login.database;
      writeLoginAnswer(out, { database, tdsVersion, packetSize, from: this.#packetSize });
      writeDone(out, tokenType.done, 0, 0);
    } else {
      for (const message of refusal) writeMessage(out, message);
      writeDone(out, tokenType.done, doneStatus.error, 0);
    }
    writer.put(out.written);
    writer.end();
    if (refusal === undefined) this.#packetSize = packetSize;
    else stream.end();
  }
}
