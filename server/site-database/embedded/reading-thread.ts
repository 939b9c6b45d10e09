import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { EndpointError } from "../../errors.ts";
import type { DataKeys } from "./cells.ts";
import { startThread, threadEntry } from "../../start-thread.ts";
import { throwIfStopped, unavailable } from "./failures.ts";
import type { KeyPosition } from "./key-pages.ts";
import type { FoundKeys, FromReadingWorker, PageRequest, ReadingTask } from "./reading-worker.ts";
import { pagesAhead, threadLimits } from "./thread-limits.ts";

const ownEntry = threadEntry("./reading-worker", import.meta.url);

/** A page takes milliseconds. */
const defaultAnswerWithinMs = 30_000;

export interface ThreadOptions {
  /** Threads at a time; a walk that finds none free stays on the server's own. */
  readonly most?: number;
  /** How long a thread may take for a page, beside waiting for a lock. */
  readonly answerWithinMs?: number;
  /** What a thread runs; an argument so that a test can have one that crashes or hangs. */
  readonly entry?: URL;
}

/** One walk in a thread of its own. Ends with its walk, its server or its first failure; nobody uses it twice. */
class ReadingThread {
  readonly #worker: Worker;
  readonly #answerWithinMs: number;
  readonly #arrived: FromReadingWorker[] = [];
  #ready = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(task: ReadingTask, entry: URL, answerWithinMs: number, onExit: () => void) {
    this.#answerWithinMs = answerWithinMs + task.lockWaitMs;
    this.#worker = startThread(entry, task, threadLimits);
    // The worker posts nothing else.
    this.#worker.on("message", (message: FromReadingWorker) => {
      if (message.kind === "ready") this.#ready = true;
      else this.#arrived.push(message);
      this.#wake();
    });
    this.#worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => {
      this.#fail(new Error(`the thread that reads the site database ended with ${code}`));
      onExit();
    });
  }

  /** Whether it can go on with the walk, or never will. */
  get isReady(): boolean {
    return this.#ready || this.#arrived.length > 0 || this.#failure !== undefined;
  }

  /**
   * Goes on from a position, a page at a time.
   *
   * @param dataKeysNow asked right before each page is handed over: a right that was taken away meanwhile ends the walk
   */
  async *read(
    from: KeyPosition,
    dataKeysNow: () => Promise<DataKeys>,
    signal: AbortSignal,
  ): AsyncGenerator<FoundKeys, void, void> {
    const dataKeys = await dataKeysNow();
    this.#ask({ dataKeys, from });
    for (let asked = 1; asked < pagesAhead; asked += 1) this.#ask({ dataKeys });
    for (;;) {
      const message = await this.#next(signal);
      if (message.kind === "end") return;
      if (message.kind === "failed")
        throw new EndpointError(message.category, message.message, { cause: message.cause });
      if (message.kind === "ready") continue;
      this.#ask({ dataKeys: await dataKeysNow() });
      if (message.keys.passwordId.length > 0) yield message.keys;
    }
  }

  /** Stops it wherever it is. */
  async end(): Promise<void> {
    this.#fail(new Error("the site database was closed"));
    await this.#worker.terminate();
  }

  #ask(request: PageRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, which a thread is none
    this.#worker.postMessage(request);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  async #next(signal: AbortSignal): Promise<FromReadingWorker> {
    for (;;) {
      throwIfStopped(signal);
      const first = this.#arrived.shift();
      if (first !== undefined) return first;
      if (this.#failure !== undefined) throw unavailable("The site database is not available.", this.#failure);
      await this.#somethingNew(signal);
    }
  }

  async #somethingNew(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    const timer = setTimeout(
      () =>
        this.#fail(new Error(`the thread that reads the site database did not answer in ${this.#answerWithinMs} ms`)),
      this.#answerWithinMs,
    );
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
    }
  }
}

export type { ReadingThread };

/**
 * The threads of one open database. Each serves one walk: a crash is one failed command, and a walk that is stopped takes
 * its thread with it, wherever that is.
 */
export class ReadingThreads {
  readonly #task: Omit<ReadingTask, "query">;
  readonly #most: number;
  readonly #answerWithinMs: number;
  readonly #entry: URL;
  readonly #running = new Set<ReadingThread>();

  constructor(task: Omit<ReadingTask, "query">, options: ThreadOptions) {
    this.#task = task;
    // More than there are processors would only take turns; one stays for the server's own.
    this.#most = options.most ?? Math.max(1, availableParallelism() - 1);
    this.#answerWithinMs = options.answerWithinMs ?? defaultAnswerWithinMs;
    this.#entry = options.entry ?? ownEntry;
  }

  /** Undefined when as many as may run do. It is started now and ready some ten milliseconds later. */
  start(query: ReadingTask["query"]): ReadingThread | undefined {
    if (this.#running.size >= this.#most) return undefined;
    const thread: ReadingThread = new ReadingThread({ ...this.#task, query }, this.#entry, this.#answerWithinMs, () =>
      this.#running.delete(thread),
    );
    this.#running.add(thread);
    return thread;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running].map((thread) => thread.end()));
  }
}
