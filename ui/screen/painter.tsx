import { type Instance, render } from "ink";
import type { Live, Size } from "../layout/live.ts";
import { type Line, toTerminal } from "../text/tones.ts";
import type { FakeTty } from "./fake-tty.ts";
import { LiveScreen } from "./live-screen.tsx";

/**
 * Paints one session: a live part that Ink repaints, and lines above it that are written once.
 *
 * Finished output goes through Ink's `useStdout().write`, not `<Static>`: nothing of it is in React's tree, in Ink's
 * frame or in its text caches, so no repaint, resize or unmount can show it again. That is why the glyphs of an answer
 * are free as soon as it is painted, and why a long session costs no more memory than a short one. `<Static>` keeps its
 * items in the tree until a new instance is mounted; a fresh Ink instance an answer would free nothing sooner.
 */
export interface Painter {
  /** Lines above the live part, then the live part itself. */
  paint(lines: readonly Line[], live: Live): void;
  /** Empties the screen; with `scrollback` also what was scrolled out of it. */
  clear(scrollback: boolean): void;
  resize(size: Size): void;
  /** Erases the live part; the caller paints nothing until `resume`. */
  suspend(): void;
  resume(): void;
  /** Erases the live part and ends Ink. */
  close(): void;
}

// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "Bracketed Paste Mode"
const bracketedPaste = { on: "\u001b[?2004h", off: "\u001b[?2004l" } as const;
// DECTCEM, same page.
const cursor = { show: "\u001b[?25h", hide: "\u001b[?25l" } as const;
const home = "\u001b[H\u001b[2J";
const andScrollback = "\u001b[3J";

export const createPainter = (tty: FakeTty, color: boolean, onLost: () => void): Painter => {
  let print: ((text: string) => void) | undefined;
  let suspended = false;
  let closing = false;
  const onMount = (write: typeof print): void => {
    print = write;
    // Ink unmounts itself when a render throws.
    if (write === undefined && !closing) onLost();
  };
  const view = (live: Live) => <LiveScreen live={live} onMount={onMount} />;
  tty.write(bracketedPaste.on);
  const ink: Instance = render(view({ lines: [], cursor: undefined }), {
    stdin: tty.stdin,
    stdout: tty.stdout,
    interactive: true, // CI in the environment, or a stream that isn't a terminal, would turn it off
    exitOnCtrlC: false,
    incrementalRendering: true, // a key at the prompt: 95 bytes instead of 276
    patchConsole: false,
    alternateScreen: false, // scrollback is kept
    // 0: paint at once. The session already paints once a chunk; with a throttle `print` would bring back an old frame.
    maxFps: 0,
  });
  return {
    paint(lines, live) {
      // The live part first: `print` erases it and puts it back, and must not put back the previous one.
      ink.rerender(view(live));
      if (lines.length > 0) print?.(`${lines.map((line) => toTerminal(line, color)).join("\n")}\n`);
    },
    clear(scrollback) {
      print?.(home + (scrollback ? andScrollback : ""));
    },
    resize(size) {
      tty.resize(size);
      // Ink repaints at this; while suspended the screen is the server's.
      if (!suspended) tty.announceSize();
    },
    suspend() {
      if (suspended || closing) return;
      suspended = true;
      // Not Ink's own `suspendTerminal`: it resumes asynchronously, and drops what is printed until then.
      ink.clear();
      tty.write(bracketedPaste.off + cursor.show);
    },
    resume() {
      if (!suspended) return;
      suspended = false;
      tty.write(cursor.hide + bracketedPaste.on);
      tty.announceSize();
    },
    close() {
      if (closing) return;
      closing = true;
      if (!suspended) {
        ink.clear();
        tty.write(bracketedPaste.off + cursor.show);
      }
      ink.unmount();
    },
  };
};
