import { layEnd, layError, layPage, layText, type Shape } from "./layout/answer.ts";
import type { ToUi } from "./protocol.ts";
import type { Line } from "./text/tones.ts";

export type AnswerPart = ToUi & { readonly type: "table" | "rows" | "text" | "error" | "end" };

/** One answer's parts as lines, in the order they arrive. Remembers how its first page was laid out, and no row. */
export class AnswerView {
  #shape: Shape | undefined;
  #pages = 0;
  #failed = false;

  /** @param width the terminal's, now: it may change from page to page */
  lay(part: AnswerPart, width: number): readonly Line[] {
    switch (part.type) {
      case "table":
        this.#shape = { columns: part.columns, list: part.list, fitted: undefined };
        return [];
      case "rows": {
        if (this.#shape === undefined) return [];
        const { lines, shape } = layPage(this.#shape, part.rows, { first: this.#pages === 0, more: part.more, width });
        this.#shape = shape;
        this.#pages += 1;
        return lines;
      }
      case "text":
        return layText(part.text, width);
      case "error":
        this.#failed = true;
        return layError(part.category, part.message, width);
      case "end":
        // A screen that is cleared or left needs no summary.
        if (part.action !== undefined) return [];
        return layEnd({
          tabular: this.#shape !== undefined,
          rowCount: part.rowCount,
          exitStatus: part.exitStatus,
          failed: this.#failed,
        });
      default:
        return part satisfies never;
    }
  }
}
