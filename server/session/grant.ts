import type { BoundLine, VisibleCommands } from "../authorization/contract.ts";
import { EndpointError, Refusal } from "../errors.ts";

/** A line as it was bound, and the commands that it was bound to. */
export interface Granted {
  readonly bound: BoundLine;
  readonly visible: VisibleCommands;
}

const gone = (cause?: unknown): EndpointError =>
  new EndpointError("OperationStopped", "You may not run this any longer, so it was stopped.", { cause });

/**
 * A command may run for hours: it waits for a page to be turned, a question to be answered, an event to happen. What it does next
 * it does by the rights that its user has then.
 *
 * @returns asks again; the line as it is granted now
 */
export const watchGrant = (
  line: string,
  granted: Granted,
  visibleCommands: () => VisibleCommands,
): (() => BoundLine) => {
  let { bound, visible } = granted;
  const bindTo = (now: VisibleCommands): BoundLine => {
    try {
      return now.bindLine(line);
    } catch (error) {
      throw error instanceof Refusal ? gone(error) : error;
    }
  };
  return () => {
    const now = visibleCommands();
    if (now === visible) return bound;
    const again = bindTo(now);
    if (again.approval !== undefined && again.approval.digest !== granted.bound.approval?.digest) throw gone();
    // Its port was opened with the bounds of then, and rows may be on their way.
    if (again.keyBounds?.text !== granted.bound.keyBounds?.text) throw gone();
    [bound, visible] = [again, now];
    return bound;
  };
};
