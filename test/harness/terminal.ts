import * as pty from "@lydell/node-pty";
import headless from "@xterm/headless";
import { onTestFinished } from "vitest";

/** A program in a real pseudo-terminal, its screen read back as a person sees it. */
export interface Terminal {
  /** The visible lines, trailing blanks cut. */
  screen(): string;
  /** Everything that was ever on the screen, with the scrollback; lines that the terminal wrapped are whole. */
  scrollback(): string;
  /** Every byte that arrived. */
  raw(): string;
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** Waits until the screen shows it; the error has the screen as it was. */
  waitFor(what: string | RegExp | ((screen: string) => boolean), withinMs?: number): Promise<string>;
  readonly exited: Promise<number>;
}

/** The lines of the buffer; `joined` puts together what the terminal itself wrapped. */
const linesOf = (terminal: headless.Terminal, from: number, to: number, joined: boolean): string => {
  let text = "";
  for (let index = from; index < to; index += 1) {
    const line = terminal.buffer.active.getLine(index);
    const next = terminal.buffer.active.getLine(index + 1);
    const goesOn = joined && next?.isWrapped === true;
    text += (line?.translateToString(!goesOn) ?? "") + (goesOn ? "" : "\n");
  }
  return text.trimEnd();
};

export const openTerminal = (
  program: string,
  args: readonly string[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
  env: Record<string, string> = {},
): Terminal => {
  const terminal = new headless.Terminal({ cols: columns, rows, scrollback: 5000, allowProposedApi: true });
  const child = pty.spawn(program, [...args], {
    cols: columns,
    rows,
    name: env["TERM"] ?? "xterm-256color",
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
  });
  let raw = "";
  let over = false;
  const watchers = new Set<() => void>();
  const exited = new Promise<number>((resolve) => {
    child.onExit(({ exitCode }) => {
      over = true;
      terminal.write("", () => resolve(exitCode)); // once it has taken in the last words
    });
  });
  child.onData((bytes) => {
    raw += bytes;
    terminal.write(bytes, () => {
      for (const watcher of watchers) watcher();
    });
  });
  // A terminal answers queries; the server must neither ask nor be confused.
  terminal.onData((answer) => {
    if (!over) child.write(answer);
  });
  onTestFinished(() => {
    if (!over) child.kill("SIGKILL");
    terminal.dispose();
  });
  const screen = (): string => {
    const { viewportY } = terminal.buffer.active;
    return linesOf(terminal, viewportY, viewportY + terminal.rows, false);
  };
  const scrollback = (): string => linesOf(terminal, 0, terminal.buffer.active.length, true);
  return {
    screen,
    scrollback,
    raw: () => raw,
    type: (text) => child.write(text),
    resize(newColumns, newRows) {
      terminal.resize(newColumns, newRows);
      child.resize(newColumns, newRows);
    },
    waitFor(what, withinMs = 10_000) {
      const holds = (): boolean => {
        const seen = scrollback();
        if (typeof what === "function") return what(seen);
        return typeof what === "string" ? seen.includes(what) : what.test(seen);
      };
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`waited ${withinMs} ms for ${String(what)}; the screen was:\n${scrollback()}`));
        }, withinMs);
        const look = (): void => {
          if (!holds()) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve(scrollback());
        };
        watchers.add(look);
        look();
      });
    },
    exited,
  };
};
