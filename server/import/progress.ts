import { basename } from "node:path";
import stringWidth from "string-width";

export interface ErrorOutput {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** One line at the bottom of a terminal that shows how far a file is; nothing where no person looks. */
export interface Progress {
  show(state: { readonly bytes: number; readonly keys: number }): void;
  /** Writes lines above the bar. */
  print(text: string): void;
  /** Takes the bar away. */
  end(): void;
}

const redrawEveryMs = 100;
const assumedColumns = 80;
/** Before that, rate and time left are guesses. */
const settledMs = 1000;

/** At most `width` columns of a text, cut at a character. */
const cut = (text: string, width: number): string => {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment) > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
};

const duration = (milliseconds: number): string => {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
};

const line = (
  name: string,
  columns: number,
  state: { readonly share: number; readonly keys: number; readonly elapsedMs: number },
): string => {
  // The last column stays free: a terminal that wraps there would leave a copy of the bar on every redraw.
  const width = columns - 1;
  const percent = `${String(Math.floor(state.share * 100)).padStart(3)}%`;
  const settled = state.elapsedMs >= settledMs && state.share > 0;
  const rate = `${Math.round((state.keys * 1000) / Math.max(1, state.elapsedMs)).toLocaleString("en-US")}/s`;
  const left = `${duration((state.elapsedMs * (1 - state.share)) / state.share)} left`;
  const tail = settled ? `${percent} ${rate} ${left}` : percent;
  const forName = Math.min(24, Math.floor((width - tail.length) / 2));
  const head = forName < 4 ? "" : `${cut(name, forName)} `;
  const forBar = Math.min(40, width - stringWidth(head) - tail.length - 3);
  const filled = Math.round(state.share * forBar);
  const bar = forBar < 4 ? "" : `[${"#".repeat(filled)}${".".repeat(forBar - filled)}] `;
  return cut(head + bar + tail, Math.max(1, width));
};

const none: Progress = { show: () => undefined, print: () => undefined, end: () => undefined };

/** @param now milliseconds of a clock that only goes forward */
export const createProgress = (
  file: { readonly name: string; readonly bytes: number },
  output: ErrorOutput,
  now: () => number,
): Progress => {
  const print = (text: string): void => output.write(`${text}\n`);
  if (!output.isTTY) return { ...none, print };
  // Consoles without a size (script, some containers) say 0.
  const columns = output.columns > 0 ? output.columns : assumedColumns;
  const startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = "";
  const erase = (): void => {
    if (drawn !== "") output.write("\r\u001B[K");
    drawn = "";
  };
  return {
    show: ({ bytes, keys }) => {
      const at = now();
      if (at - drawnAt < redrawEveryMs) return;
      drawnAt = at;
      const share = file.bytes === 0 ? 1 : Math.min(1, bytes / file.bytes);
      drawn = line(basename(file.name), columns, { share, keys, elapsedMs: at - startedAt });
      output.write(`\r\u001B[K${drawn}`);
    },
    print: (text) => {
      const again = drawn;
      erase();
      print(text);
      if (again !== "") output.write(again);
      drawn = again;
    },
    end: erase,
  };
};
