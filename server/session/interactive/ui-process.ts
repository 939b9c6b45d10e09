import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import {
  createFrameReader,
  encodeFrame,
  frameKind,
  type Frame,
  type FrameKind,
  type ToUi,
} from "../../../ui/protocol.ts";
import { isAlone } from "./accounts/processes.ts";
import { decodeProcessMessage } from "./from-ui.ts";
import { createReadingAllowance, type Received } from "./reading-allowance.ts";
import { screenUnavailable, startUiProcess, type UiProcessOptions, type UiProgram } from "./start-ui-process.ts";
import { UiScreenQueue, type UiProcessEnd, type UiScreenListener } from "./ui-screen-queue.ts";

/** One screen in a UI process. */
export interface UiScreen {
  readonly isAlive: boolean;
  /** Resolves when the next message is welcome; at once when the process is gone. */
  send(message: ToUi): Promise<void>;
  /** What the user typed. As `send`. */
  type(text: string): Promise<void>;
  /** Delivers no terminal bytes until `release`; they are kept, and too many end the process. */
  hold(): void;
  release(): void;
  /** The process did what no honest one does: ends it, with all its screens. */
  breach(detail: string): void;
  close(): void;
}

export interface UiProcessListener {
  /** The process has ended; what it left behind may run still. Not called where the system gave no process. */
  readonly onExit: (state: { readonly wasReady: boolean }) => void;
  /** Everything that it sent is read. */
  readonly onEnd: (end: UiProcessEnd) => void;
}

const largestTypedFrame = 64 * 1024;

const encoder = new TextEncoder();

/** A UI process: its pipes, its heartbeat, its limits. Everything it sends is untrusted. */
export class UiProcess {
  readonly #options: UiProcessOptions;
  readonly #child: ChildProcess;
  readonly #stdin: Writable;
  readonly #stdout: Readable;
  readonly #screens = new Map<number, UiScreenQueue>();
  readonly #read = createFrameReader();
  readonly #onEnd: (end: UiProcessEnd) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  readonly #account: number | undefined;
  #lastScreen = 0;
  #ready = false;
  #killed: UiProcessEnd | undefined;
  #gone = false;
  #room: PromiseWithResolvers<void> | undefined;
  #ping: { readonly nonce: number; sentMs: number } | undefined;
  #paused = false;
  #throttle: NodeJS.Timeout | undefined;
  readonly #allowance = createReadingAllowance();

  /**
   * @param account its own; `undefined` where all processes have one
   * @throws EndpointError ResourceUnavailable when the system gives no process or no descriptors
   */
  constructor(
    options: UiProcessOptions,
    { program, account }: { readonly program: UiProgram; readonly account: number | undefined },
    { onExit, onEnd }: UiProcessListener,
  ) {
    this.#options = options;
    this.#onEnd = onEnd;
    this.#account = account;
    this.#child = startUiProcess(options, program, account);
    this.#child.on("error", () => this.#finish({ cause: "not-started", detail: "could not be spawned" }));
    // Not "close": that waits for whatever the process left behind with its pipes.
    this.#child.on("exit", () => onExit({ wasReady: this.#ready }));
    this.#child.on("close", (code, signal) => {
      const cause = this.#ready ? "exited" : "not-started";
      this.#finish(this.#killed ?? { cause, detail: signal ?? `status ${String(code)}` });
    });
    const { stdin, stdout, stderr } = this.#child;
    if (!stdin || !stdout || !stderr) {
      this.#gone = true; // no descriptors are left (EMFILE): there is no "close", only an "error" still to come
      throw screenUnavailable(new Error("no pipes"));
    }
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdin.on("error", () => undefined); // EPIPE: "close" follows
    stdin.on("drain", () => this.#roomAgain());
    stdout.on("data", (chunk: Buffer) => this.#take(chunk));
    // Read, so that the process can't block on it, and dropped: it may hold what a user typed, and terminal sequences.
    stderr.resume();
    this.#timer = setInterval(() => this.#beat(), options.heartbeatMs).unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get screenCount(): number {
    return this.#screens.size;
  }

  get isAlive(): boolean {
    return this.#killed === undefined && !this.#gone;
  }

  /** A screen's client doesn't read, or the process floods: no place for one more screen. */
  get isStalled(): boolean {
    return this.#paused;
  }

  /** @param onClose called once the screen is closed */
  openScreen(listener: UiScreenListener, onClose: () => void): UiScreen {
    const number = ++this.#lastScreen;
    const queue = new UiScreenQueue(
      listener,
      (detail) => this.#breach(detail),
      () => this.#flow(),
    );
    this.#screens.set(number, queue);
    const isAlive = (): boolean => this.isAlive;
    return {
      get isAlive() {
        return isAlive();
      },
      send: async (message) => {
        if (this.#screens.has(number)) await this.#sendMessage(number, message);
      },
      type: async (text) => {
        const bytes = encoder.encode(text);
        for (let at = 0; at < bytes.length && this.#screens.has(number); at += largestTypedFrame) {
          await this.#send(frameKind.terminal, number, bytes.subarray(at, at + largestTypedFrame));
        }
      },
      hold: () => queue.hold(),
      release: () => queue.release(),
      breach: (detail) => this.#breach(detail),
      close: () => {
        if (!this.#screens.delete(number)) return;
        queue.close();
        void this.#sendMessage(number, { type: "close" });
        onClose();
      },
    };
  }

  kill(end: UiProcessEnd): void {
    if (this.#killed !== undefined || this.#gone) return;
    this.#killed = end;
    this.#roomAgain();
    this.#child.kill("SIGKILL");
    this.#stdout.resume(); // "close" waits for its end; what still comes is not looked at
    for (const queue of this.#screens.values()) queue.end(end);
  }

  #breach(detail: string): void {
    this.kill({ cause: "breach", detail });
  }

  #finish(end: UiProcessEnd): void {
    if (this.#gone) return;
    this.#gone = true;
    clearInterval(this.#timer);
    clearTimeout(this.#throttle);
    this.#roomAgain();
    this.#onEnd(end);
    for (const queue of this.#screens.values()) queue.end(end);
  }

  #sendMessage(screen: number, message: ToUi): Promise<void> {
    return this.#send(frameKind.message, screen, encoder.encode(JSON.stringify(message)));
  }

  async #send(kind: FrameKind, screen: number, payload: Uint8Array): Promise<void> {
    if (!this.isAlive || this.#stdin.write(encodeFrame(kind, screen, payload))) return;
    this.#room ??= Promise.withResolvers();
    await this.#room.promise;
  }

  #roomAgain(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #take(chunk: Buffer): void {
    if (!this.isAlive) return;
    let frames: readonly Frame[];
    try {
      frames = this.#read(chunk);
    } catch {
      this.#breach("not a frame");
      return;
    }
    const messages = frames.filter(({ kind, payload }) => kind === frameKind.message || payload.length === 0).length;
    this.#spend({ messages, frames: frames.length, bytes: chunk.length });
    for (const frame of frames) {
      if (!this.isAlive) return;
      if (frame.session === 0) this.#takeOwn(frame);
      else if (frame.session > this.#lastScreen || !this.#ready) this.#breach("a screen that was never opened");
      else this.#screens.get(frame.session)?.push(frame); // none: it was closed while this frame was on its way
    }
    this.#flow();
  }

  #takeOwn(frame: Frame): void {
    try {
      if (frame.kind !== frameKind.message) throw new RangeError("terminal bytes of no screen");
      const message = decodeProcessMessage(frame.payload);
      if (message.type === "ready" && !this.#ready) this.#takeReady();
      else if (message.type === "pong" && message.nonce === this.#ping?.nonce) this.#ping = undefined;
      else throw new RangeError("out of turn");
    } catch {
      this.#breach("message out of turn");
    }
  }

  /** Two servers that gave the same account at the same moment both see the other's process here, and neither goes on. */
  #takeReady(): void {
    if (this.#account === undefined || isAlone(this.#account, this.pid)) this.#ready = true;
    else this.kill({ cause: "not-started", detail: "another process has its account" });
  }

  #spend(received: Received): void {
    const spent = this.#allowance(received, performance.now());
    if (spent.tooManyMessages) this.#breach("too many messages");
    if (spent.waitMs === 0 || this.#throttle !== undefined) return;
    this.#throttle = setTimeout(() => {
      this.#throttle = undefined;
      this.#flow();
    }, spent.waitMs).unref();
  }

  /** Reads the process's output while every screen's queue has room. */
  #flow(): void {
    if (!this.isAlive) return;
    const pause = this.#throttle !== undefined || [...this.#screens.values()].some((queue) => queue.isFull);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#stdout.pause();
    else {
      // While nothing was read no answer could come: its time begins anew.
      if (this.#ping !== undefined) this.#ping.sentMs = performance.now();
      this.#stdout.resume();
    }
  }

  #beat(): void {
    const nowMs = performance.now();
    if (!this.isAlive) return;
    if (!this.#ready) {
      if (nowMs - this.#startedMs > this.#options.startMs)
        this.kill({ cause: "not-started", detail: "not ready in time" });
      return;
    }
    void this.#watchMemory();
    if (this.#paused) return;
    if (this.#ping === undefined) {
      this.#ping = { nonce: randomInt(2 ** 32), sentMs: nowMs };
      void this.#sendMessage(0, { type: "ping", nonce: this.#ping.nonce });
    } else if (nowMs - this.#ping.sentMs > this.#options.silenceMs) {
      this.kill({ cause: "silent", detail: `no answer for ${this.#options.silenceMs} ms` });
    }
  }

  /** V8's limit covers its heap only; typed arrays lie outside it. Where there is no /proc, the heap's limit has to do. */
  async #watchMemory(): Promise<void> {
    const status = await readFile(`/proc/${String(this.pid)}/status`, "utf8").catch(() => "");
    const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
    if (residentKb > this.#options.residentMb * 1024) {
      this.kill({ cause: "memory", detail: `${Math.round(residentKb / 1024)} MB resident` });
    }
  }
}
