import { EndpointError } from "../../../server/errors.ts";
import type { SessionChannel } from "../../../server/session/contract.ts";

/** A session channel without SSH: what a client types and sees. */
export interface MemoryChannel {
  readonly channel: SessionChannel;
  /** Everything on standard output so far. */
  output(): string;
  errors(): string;
  type(text: string): void;
  typeBytes(bytes: Uint8Array): void;
  endInput(): void;
  close(): void;
  /** The client stops reading; a write waits until `read`. */
  stall(): void;
  read(): void;
  /** Waits until the output since `from` has it. @returns the output's length then */
  sees(what: string | RegExp, from?: number): Promise<number>;
}

export const createMemoryChannel = (): MemoryChannel => {
  const closed = new AbortController();
  const input: Uint8Array[] = [];
  let inputOver = false;
  let wake = Promise.withResolvers<void>();
  let stalled: PromiseWithResolvers<void> | undefined;
  const decoder = new TextDecoder();
  const watchers = new Set<() => void>();
  let output = "";
  let errors = "";

  const closedError = (): EndpointError => new EndpointError("OperationStopped", "The channel is closed.");
  const untilClosed = new Promise<never>((_, reject) => {
    closed.signal.addEventListener("abort", () => reject(closedError()), { once: true });
  });
  untilClosed.catch(() => undefined);

  const channel: SessionChannel = {
    closed: closed.signal,
    closedInOrder: false,
    input: (async function* typed() {
      for (;;) {
        const chunk = input.shift();
        if (chunk !== undefined) yield chunk;
        else if (inputOver || closed.signal.aborted) return;
        else {
          await wake.promise;
          wake = Promise.withResolvers();
        }
      }
    })(),
    async write(bytes) {
      if (closed.signal.aborted) throw closedError();
      await Promise.race([stalled?.promise, untilClosed]);
      output += decoder.decode(bytes, { stream: true });
      for (const watcher of watchers) watcher();
    },
    async writeError(bytes) {
      errors += new TextDecoder().decode(bytes);
    },
    async end() {
      closed.abort();
    },
  };

  const typeBytes = (bytes: Uint8Array): void => {
    input.push(bytes);
    wake.resolve();
  };

  return {
    channel,
    output: () => output,
    errors: () => errors,
    typeBytes,
    type: (text) => typeBytes(new TextEncoder().encode(text)),
    endInput() {
      inputOver = true;
      wake.resolve();
    },
    close() {
      closed.abort();
      wake.resolve();
    },
    stall() {
      stalled ??= Promise.withResolvers();
    },
    read() {
      stalled?.resolve();
      stalled = undefined;
    },
    sees(what, from = 0) {
      const holds = (): boolean => {
        const seen = output.slice(from);
        return typeof what === "string" ? seen.includes(what) : what.test(seen);
      };
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`waited for ${String(what)}; there was ${JSON.stringify(output.slice(from).slice(-2000))}`));
        }, 15_000);
        const look = (): void => {
          if (!holds()) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve(output.length);
        };
        watchers.add(look);
        look();
      });
    },
  };
};
