import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import xterm from "@xterm/headless";
import { bundleUi } from "../../build.ts";
import { uiFlags } from "../../server/session/interactive/start-ui-process.ts";
import { createFrameReader, encodeFrame, frameKind, type FromUi, type ToUi } from "../../ui/protocol.ts";

/** The flags that the server starts UI processes with. */
export const hardening = (folder: string): readonly string[] => [...uiFlags(folder), "--max-old-space-size=96"];

/** Where a debugger may attach (CONTRIBUTING.md): HOST:PORT. The process then waits for one, without Node's own walls. */
const inspected = process.env["PEP_UI_INSPECT"];

/** Whoever debugs takes an hour. */
const patienceMs = inspected === undefined ? 10_000 : 3_600_000;

/** The bundle in a folder of its own. */
export const buildBundle = async (): Promise<{ bundle: string; folder: string; remove: () => Promise<void> }> => {
  const folder = await mkdtemp(path.join(tmpdir(), "pep-ui-"));
  return {
    bundle: await bundleUi(folder, "ui/main.ts", inspected !== undefined),
    folder,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};

export type Open = ToUi & { readonly type: "open" };

/** One session as its user sees it: a terminal, and the messages that the screen sent to the server. */
export class TestSession {
  readonly #write: (frame: Uint8Array) => void;
  readonly #number: number;
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  readonly #wake: () => void;
  readonly messages: FromUi[] = [];
  /** Everything painted, with a mark where a message was sent: for the order of the two. */
  readonly log: (string | FromUi)[] = [];
  pendingWrites = 0;
  /** Plays the server, where it has to answer by itself. */
  onMessage: (message: FromUi) => void = () => undefined;

  constructor(number: number, open: Open, write: (frame: Uint8Array) => void, wake: () => void) {
    this.#number = number;
    this.#write = write;
    this.#wake = wake;
    this.#terminal = new xterm.Terminal({
      cols: open.columns || 80,
      rows: open.rows || 24,
      scrollback: 100_000,
      allowProposedApi: true,
    });
    this.tell(open);
  }

  tell(message: ToUi): void {
    if (message.type === "resize") this.#terminal.resize(message.columns, message.rows);
    this.#write(encodeFrame(frameKind.message, this.#number, new TextEncoder().encode(JSON.stringify(message))));
  }

  type(text: string): void {
    this.#write(encodeFrame(frameKind.terminal, this.#number, new TextEncoder().encode(text)));
  }

  receiveTerminal(text: string): void {
    this.log.push(text);
    this.pendingWrites += 1;
    this.#terminal.write(text, () => {
      this.pendingWrites -= 1;
      this.#wake();
    });
  }

  receiveMessage(message: FromUi): void {
    this.messages.push(message);
    this.onMessage(message);
    this.log.push(message);
    this.#wake();
  }

  /** What a person sees now, without the empty lines below. */
  get screen(): string {
    return this.#lines(this.#terminal.buffer.active.baseY);
  }

  /** The same with what was scrolled away. */
  get scrollback(): string {
    return this.#lines(0);
  }

  get cursor(): { x: number; y: number } {
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    return { x: cursorX, y: cursorY };
  }

  get painted(): string {
    return this.log.filter((entry) => typeof entry === "string").join("");
  }

  messagesOf<T extends FromUi["type"]>(type: T): (FromUi & { readonly type: T })[] {
    return this.messages.filter((message): message is FromUi & { readonly type: T } => message.type === type);
  }

  #lines(from: number): string {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: buffer.length - from }, (_, index) =>
      (buffer.getLine(from + index)?.translateToString(true) ?? "").trimEnd(),
    )
      .join("\n")
      .trimEnd();
  }
}

/** A UI process as the server starts it, driven over frames. */
export class UiProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<number | null>;
  readonly #sessions = new Map<number, TestSession>();
  readonly #waiting = new Set<() => void>();
  readonly own: FromUi[] = [];
  #nonce = 0;
  stderr = "";

  constructor(
    bundle: string,
    options: {
      readonly arguments?: readonly string[];
      readonly color?: string;
      /** For the runtime, before the bundle. */
      readonly nodeArguments?: readonly string[];
    } = {},
  ) {
    this.child = spawn(
      process.execPath,
      [
        ...(inspected === undefined ? hardening(path.dirname(bundle)) : [`--inspect-wait=${inspected}`]),
        ...(options.nodeArguments ?? []),
        bundle,
        ...(options.arguments ?? []),
      ],
      {
        stdio: ["pipe", "pipe", "pipe"],
        cwd: "/",
        env: { PATH: "/usr/bin:/bin", TERM: "xterm-256color", FORCE_COLOR: options.color ?? "0", LANG: "C.UTF-8" },
      },
    );
    const read = createFrameReader();
    const decoders = new Map<number, TextDecoder>();
    this.child.stdout.on("data", (chunk: Buffer) => {
      for (const { kind, session, payload } of read(chunk)) {
        if (kind === frameKind.terminal) {
          const decoder = decoders.get(session) ?? new TextDecoder();
          decoders.set(session, decoder);
          this.#sessions.get(session)?.receiveTerminal(decoder.decode(payload, { stream: true }));
          continue;
        }
        // The process under test sent it; the assertions of the tests are the check.
        const message = JSON.parse(new TextDecoder().decode(payload)) as FromUi;
        if (session === 0) this.own.push(message);
        else this.#sessions.get(session)?.receiveMessage(message);
      }
      this.#wake();
    });
    this.child.stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#wake();
    });
    this.child.stdin.on("error", () => undefined); // it may have ended by itself; `exited` tells
    this.exited = new Promise((resolve) => {
      this.child.on("exit", (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  write(frame: Uint8Array): void {
    this.child.stdin.write(frame);
  }

  open(number: number, open: Open): TestSession {
    const session = new TestSession(
      number,
      open,
      (frame) => this.write(frame),
      () => this.#wake(),
    );
    this.#sessions.set(number, session);
    return session;
  }

  /** Resolves when the condition holds and every painted byte has reached the terminal; checked on each arrival. */
  async until(condition: () => boolean, what: string, withinMs = patienceMs): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if ([...this.#sessions.values()].every(({ pendingWrites }) => pendingWrites === 0) && condition()) resolve();
      else if (this.child.exitCode !== null)
        reject(new Error(`the UI process ended (${this.child.exitCode}) before: ${what}\n${this.stderr}`));
    };
    const timer = setTimeout(() => {
      const screens = [...this.#sessions].map(([number, { screen }]) => `--- session ${number}\n${screen}`);
      reject(new Error(`not seen: ${what}\n${screens.join("\n")}\n${this.stderr}`));
    }, withinMs);
    this.#waiting.add(check);
    check();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  /**
   * Everything sent so far has been handled and painted. Twice, because painting comes after all frames of a chunk: the
   * first answer may overtake it, the second, asked for after the first came back, can't.
   */
  async settled(): Promise<void> {
    for (const _ of [1, 2]) {
      this.#nonce += 1;
      const ping: ToUi = { type: "ping", nonce: this.#nonce };
      this.write(encodeFrame(frameKind.message, 0, new TextEncoder().encode(JSON.stringify(ping))));
      await this.until(() => this.own.some((own) => own.type === "pong" && own.nonce === ping.nonce), "pong");
    }
  }

  async end(): Promise<number | null> {
    this.child.stdin.end();
    return this.exited;
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
