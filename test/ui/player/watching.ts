import { openAt } from "../fixtures.ts";
import { type TestSession, UiProcess } from "../ui-process.ts";

const pieceBytes = 256 * 1024;

export interface Watching {
  readonly ui: UiProcess;
  readonly session: TestSession;
  /** Types, and waits until the screen shows it. */
  readonly press: (keys: string, until: string | RegExp, withinMs?: number) => Promise<void>;
}

/** A real UI process with a player on a transcript, fed as the server does. */
export const watch = async (
  bundle: string,
  cast: string | Uint8Array,
  { columns = 80, rows = 24, color = "0" } = {},
): Promise<Watching> => {
  const bytes = typeof cast === "string" ? new TextEncoder().encode(cast) : cast;
  const ui = new UiProcess(bundle, { color });
  const session = ui.open(1, openAt(columns, rows));
  session.onMessage = (message) => {
    if (message.type === "line") {
      session.tell({ type: "transcript", id: message.id, sessionId: "S-0123456789abcdef", bytes: bytes.length });
    } else if (message.type === "fetch") {
      const { id, from } = message;
      const piece = Buffer.from(bytes.subarray(from, from + pieceBytes));
      session.tell({ type: "piece", id, from, base64: piece.toString("base64") });
    } else if (message.type === "watched") session.tell({ type: "end", id: message.id, exitStatus: 0, rowCount: 0 });
  };
  const press: Watching["press"] = async (keys, until, withinMs) => {
    session.type(keys);
    await ui.until(
      () => (typeof until === "string" ? session.screen.includes(until) : until.test(session.screen)),
      `${JSON.stringify(keys)} → ${String(until)}`,
      withinMs,
    );
  };
  await press("Show-Transcript S-0123456789abcdef\r", / \/ /);
  return { ui, session, press };
};
