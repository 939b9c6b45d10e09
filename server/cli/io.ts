import type { Host } from "../endpoint/start.ts";
import type { Runtime } from "../runtime.ts";

/** Where a local command writes, and who runs it; handed in by main.ts, the only file that touches `process`. */
export interface Io extends Runtime, Host {
  /** Results only, so that a script can read them. */
  readonly stdout: { write(text: string): void };
  readonly stderr: { readonly isTTY: boolean; readonly columns: number; write(text: string): void };
  readonly stdin: {
    readonly isTTY: boolean;
    /** The next line, without its end; `undefined` when there is none. */
    readLine(): Promise<string | undefined>;
    /** The next line; what is typed at a terminal is not shown. */
    readHidden(): Promise<string | undefined>;
    /** All of it, as bytes; not together with lines. */
    readBytes(): AsyncIterable<Uint8Array>;
    /** Lets the process end. */
    close(): void;
  };
  /** Operating-system account. */
  readonly localUser: string;
}
