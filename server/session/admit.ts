import type { BoundLine, VisibleCommands } from "../authorization/contract.ts";
import type { ElevationGate } from "../authorization/elevation-gate.ts";
import type { Elevation } from "../command/elevation-port.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { Party } from "../identity/party.ts";
import { EndpointError, failures, Refusal } from "../errors.ts";
import { describe, translate } from "../failure-messages.ts";
import { noTurn, type CommandTurns, type Turn } from "./command-turns.ts";
import type { Delivery } from "./delivery.ts";

export interface AdmitDependencies {
  readonly log: EventLog;
  /** Asked for each line, so that a reload counts from the next line on. */
  readonly visibleCommands: () => VisibleCommands;
  /** Approval by a second person, where the accepting entry requires it. */
  readonly elevation: ElevationGate;
  /** Of all sessions: how many of each user's commands run. */
  readonly turns: CommandTurns;
  /** Whom limits count for. */
  readonly party: Party;
  readonly origin: Origin;
}

/** A line that may run now. Its turn ends with it. */
export interface Admitted {
  readonly bound: BoundLine;
  /** The request that was used up. */
  readonly approved: Elevation | undefined;
  readonly turn: Turn;
  /** The line as it is granted when asked. @throws EndpointError OperationStopped when it is no longer */
  readonly grantedNow: () => BoundLine;
}

/** A short wait needs no words. */
const tellWaitMs = 1_000;

/** A line as it was bound, and the commands that it was bound to. */
interface Granted {
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
const watchGrant = (line: string, granted: Granted, visibleCommands: () => VisibleCommands): (() => BoundLine) => {
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

const takeTurn = async (
  { turns, party }: AdmitDependencies,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Turn> => {
  let telling: NodeJS.Timeout | undefined;
  try {
    return await turns.take(party, signal, (running) => {
      const message = `Waiting: ${running} of your commands are running, the most that run at a time (commandsPerUser).`;
      telling = setTimeout(() => void delivery.tell(message).catch(() => undefined), tellWaitMs); // who hung up needs no message
    });
  } finally {
    clearTimeout(telling);
  }
};

/**
 * The way from a line to a command that may run: bind, have it approved, wait for its turn, bind again, use the approval up.
 * Each step returns before the next begins. However it ends, without a command there is a `command-refused` event.
 */
export const createAdmit = (
  dependencies: AdmitDependencies,
): ((line: string, delivery: Delivery, signal: AbortSignal) => Promise<Admitted>) => {
  const { log, origin, visibleCommands, elevation } = dependencies;

  const refuse = async (error: unknown, lineLength: number, found: string | undefined, signal: AbortSignal) => {
    const { failure, reference } = translate(error, signal);
    const command = failure instanceof Refusal ? failure.command : found;
    await log.append({
      type: "command-refused",
      ...origin,
      reason: failure instanceof Refusal ? failure.reason : failures[failure.category].refusedAs,
      lineLength,
      ...(command === undefined ? {} : { command }),
      ...(reference === undefined ? {} : { error: describe(error), reference }),
    });
    return failure;
  };

  return async (line, delivery, signal) => {
    let found: string | undefined;
    let turn = noTurn;
    try {
      const asked = visibleCommands().bindLine(line);
      found = asked.command.name;
      const waiting = { signal, tell: (text: string) => delivery.tell(text) };
      const requestId = await elevation.settle(asked, waiting);
      // JEA's default commands need no turn.
      if (asked.roleCapability !== "default") turn = await takeTurn(dependencies, delivery, signal);
      // Rights may have gone while it waited: what counts is what this user can see now.
      const visible = visibleCommands();
      const bound = visible.bindLine(line);
      // Last, as an approval that was used up before a wait would outlive its minutes.
      const approved = await elevation.use(bound, asked, requestId);
      return { bound, approved, turn, grantedNow: watchGrant(line, { bound, visible }, visibleCommands) };
    } catch (error) {
      turn.end();
      const failure: EndpointError = await refuse(error, line.length, found, signal);
      throw failure;
    }
  };
};
