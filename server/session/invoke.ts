import { randomBytes } from "node:crypto";
import type { BoundLine, VisibleCommands } from "../authorization/contract.ts";
import type { Admitted, ElevationGate } from "../authorization/elevation-gate.ts";
import type { AuditEvent, EventLog, Origin } from "../audit/event.ts";
import type { CommandContext, CommandResult, EstimateContext } from "../../commands/define-command.ts";
import type { ReviewFor } from "../audit-review/review.ts";
import { EndpointError, Refusal } from "../errors.ts";
import type { TranscriptPort } from "../audit-review/transcript-port.ts";
import { boundKeys } from "../site-database/bound-keys.ts";
import type { SiteDatabase } from "../site-database/port.ts";
import type { Answer, Delivery, Invoke, Outcome } from "./delivery.ts";
import type { CommandTurns, Turn } from "./command-turns.ts";
import { disclose } from "./disclose.ts";
import { describe, failed, translate } from "./failed.ts";
import { watchGrant, type Granted } from "./grant.ts";
import type { DisclosureCounts } from "./disclosure-counts.ts";
import { asTheyCome, inBatchesOf, limitRows, rowLimitOf, tooManyRows } from "./limit-rows.ts";
import { watchTranscript } from "./watch-transcript.ts";

export interface InvokeDependencies {
  readonly log: EventLog;
  readonly siteDatabase: SiteDatabase;
  readonly transcripts: TranscriptPort;
  /** Asked for each line, so that a reload counts from the next line on. */
  readonly visibleCommands: () => VisibleCommands;
  /** Approval by a second person, where the accepting entry requires it. */
  readonly elevation: ElevationGate;
  /** Of all sessions: what each user was shown lately, and how many of their commands run. */
  readonly disclosures: DisclosureCounts;
  readonly turns: CommandTurns;
  readonly review: ReviewFor;
  readonly connectedUser: string;
  readonly origin: Origin;
  readonly now: () => Date;
  readonly uptimeMs: () => number;
  /** For the operator: a bug before anything could be recorded. */
  readonly report: (problem: string) => void;
}

type Finished = Extract<AuditEvent, { type: "command-finished" }>;

/** A line that may run now, and its turn; JEA's default commands need none. */
interface Ready extends Admitted, Granted {
  readonly turn: Turn | undefined;
}

/** A short wait needs no words. */
const tellWaitMs = 1_000;

/** What is still unknown when a command ends badly. */
interface Progress {
  rowCount: number;
}

/** Makes the only way to a command for one session (design §4): find → bind → approve → log → run → log. */
export const createInvoke = (dependencies: InvokeDependencies): Invoke => {
  const { log, origin } = dependencies;

  /** Text → a bound line and the approval it uses up, or the refusal on the record. */
  const bind = async (line: string, delivery: Delivery, signal: AbortSignal): Promise<Ready> => {
    const taken: { turn?: Turn } = {};
    const takeTurnNow = async (): Promise<Turn> => (taken.turn = await takeTurn(delivery, signal));
    try {
      let visible = dependencies.visibleCommands();
      const bindAgain = (): BoundLine => {
        visible = dependencies.visibleCommands();
        return visible.bindLine(line);
      };
      const admitted = await dependencies.elevation.admit(bindAgain(), {
        ...contextOf(signal),
        tell: (text) => delivery.tell(text),
        bindAgain,
        beforeUse: async () => void (await takeTurnNow()),
      });
      if (admitted.bound.roleCapability === "default") return { ...admitted, visible, turn: undefined };
      if (taken.turn !== undefined) return { ...admitted, visible, turn: taken.turn };
      const turn = await takeTurnNow();
      if (!turn.waited) return { ...admitted, visible, turn };
      // Rights may have gone while it waited: what counts is what this user can see now.
      const bound = bindAgain();
      if (bound.approval === undefined) return { ...admitted, bound, visible, turn };
      throw new Refusal("ApprovalRequired", "Your rights changed meanwhile. Ask again.", {
        reason: "approval",
        command: bound.command.name,
      });
    } catch (error) {
      taken.turn?.end();
      if (!(error instanceof Refusal)) throw error;
      await log.append({
        type: "command-refused",
        ...origin,
        reason: error.reason,
        lineLength: line.length,
        ...(error.command === undefined ? {} : { command: error.command }),
      });
      throw error;
    }
  };

  const takeTurn = async (delivery: Delivery, signal: AbortSignal): Promise<Turn> => {
    let telling: NodeJS.Timeout | undefined;
    const onWaiting = (running: number): void => {
      const message = `Waiting: ${running} of your commands are running, the most that run at a time (commandsPerUser).`;
      telling = setTimeout(() => void delivery.tell(message).catch(() => undefined), tellWaitMs); // who hung up needs no message
    };
    try {
      return await dependencies.turns.take(dependencies.connectedUser, signal, onWaiting);
    } finally {
      clearTimeout(telling);
    }
  };

  const contextOf = (signal: AbortSignal): EstimateContext => ({
    siteDatabase: dependencies.siteDatabase,
    signal,
    now: dependencies.now,
  });

  const run = async (
    line: string,
    ready: Ready,
    invocationId: string,
    delivery: Delivery,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<Pick<Finished, "exitStatus" | "sentBytes" | "sentDigest">> => {
    const { bound, approved, turn } = ready;
    const grantedNow = watchGrant(line, ready, dependencies.visibleCommands);
    /** A person thinks: meanwhile another command of theirs may run, and their rights may go. */
    const whilePaused = async <T>(waiting: Promise<T>): Promise<T> => {
      turn?.pause();
      const answer = await waiting;
      await turn?.resume(signal);
      grantedNow();
      return answer;
    };
    const context: CommandContext = {
      ...contextOf(signal),
      siteDatabase: boundKeys(dependencies.siteDatabase, bound.keyBounds?.allows),
      connectedUser: dependencies.connectedUser,
      get visibleCommands() {
        return dependencies.visibleCommands().descriptions;
      },
      interactive: delivery.how !== "exec",
      askPassword: (prompt, options) => whilePaused(delivery.askPassword(prompt, options)),
      confirm: (question) => whilePaused(delivery.confirm(question)),
      elevation: dependencies.elevation.portFor(contextOf(signal)),
      transcripts: dependencies.transcripts,
      review: dependencies.review({ ...origin, connectedUser: dependencies.connectedUser }, signal),
      tell: (text) => delivery.tell(text),
    };
    // Stopped while its start was recorded: a command hears of an abort, not that there was one.
    if (signal.aborted) throw new EndpointError("OperationStopped", "Stopped.");
    const result = await bound.command.run(context);
    if (result.kind === "transcript") {
      if (delivery.how === "interactive") turn?.pause(); // it waits for a person from its first picture on
      const transcript: typeof result.transcript = {
        ...result.transcript,
        read: async (from, longest) => {
          grantedNow();
          return result.transcript.read(from, longest);
        },
      };
      const watcher = { ...origin, connectedUser: dependencies.connectedUser };
      return { exitStatus: 0, ...(await watchTranscript({ ...result, transcript }, log, watcher, delivery)) };
    }
    if (result.kind !== "rows") {
      const sent = await delivery.show(result);
      return { exitStatus: result.kind === "text" ? (result.exitStatus ?? 0) : 0, ...sent };
    }
    // Asked before the first row is pulled, so that a refusal decrypts nothing.
    const limit = rowLimitOf(bound.maxRows, approved?.ceiling);
    if (limit !== undefined && result.count !== undefined && (await result.count()) > limit.rows) {
      throw tooManyRows(limit);
    }
    const limited = { ...result, batches: limitRows(result.batches, limit, result.live) };
    const shaped = bound.shaping.reduce<Extract<CommandResult, { kind: "rows" }>>(
      (rows, shaping) => shaping.apply(rows),
      limited,
    );
    const showsKeys = shaped.columns.some(({ secret }) => secret === true);
    if (delivery.how !== "exec" && showsKeys && shaped.count !== undefined) {
      const count = await shaped.count();
      if (!(await whilePaused(delivery.confirmBulk(count)))) {
        throw new EndpointError("OperationStopped", "Nothing was shown.");
      }
    }
    const disclosure = {
      log,
      origin,
      invocationId,
      command: bound.command.name,
      reason: bound.command.reason,
      delivery,
      mark: shaped.mark,
      count: (keyIds: readonly string[]) =>
        dependencies.disclosures.reserve(dependencies.connectedUser, keyIds, grantedNow().disclosureLimit),
    };
    let more = true;
    const answer: Answer = {
      kind: "rows",
      columns: shaped.columns,
      format: shaped.format,
      hasMore: () => more,
      batches: (async function* disclosed() {
        const cut =
          shaped.live === true
            ? asTheyCome(shaped.batches)
            : inBatchesOf(shaped.batches, delivery.batchRows, delivery.how !== "exec");
        for await (const batch of cut) {
          signal.throwIfAborted();
          grantedNow();
          const rows = await disclose(batch.rows, disclosure);
          more = batch.more;
          progress.rowCount += rows.length;
          // A page on a screen stays until its reader asks for the next.
          if (delivery.how === "interactive") turn?.pause();
          yield rows;
          await turn?.resume(signal);
        }
      })(),
    };
    const sent = await delivery.show(answer);
    const forPeople = result.format === undefined || result.format === "table" || result.format === "list";
    if (result.summary !== undefined && forPeople && bound.shaping.length === 0) await delivery.tell(result.summary());
    return { exitStatus: shaped.exitStatus?.() ?? 0, ...sent };
  };

  const refused = (error: unknown, signal: AbortSignal): Outcome => {
    const { failure, reference } = translate(error, signal);
    if (reference !== undefined) dependencies.report(`${reference}: a line could not be bound: ${describe(error)}`);
    return failed(failure, 0);
  };

  return async (line, delivery, signal) => {
    const progress: Progress = { rowCount: 0 };
    let ready: Ready;
    const invocationId = `I-${randomBytes(6).toString("hex")}`;
    try {
      ready = await bind(line, delivery, signal);
    } catch (error) {
      return refused(error, signal);
    }
    const { bound, approved, turn } = ready;
    try {
      await log.append({
        type: "command-started",
        ...origin,
        invocationId,
        command: bound.command.name,
        parameters: { ...bound.command.parameters } as Record<string, string | boolean | number | string[]>, // zod's record is mutable in type; nothing writes to it
        pipeline: bound.shaping.map(({ canonical }) => canonical),
        roleCapability: bound.roleCapability,
        ...(bound.command.reason === undefined ? {} : { reason: bound.command.reason }),
        ...(approved === undefined ? {} : { requestId: approved.requestId }),
      });
    } catch (error) {
      turn?.end();
      return refused(error, signal);
    }
    const startedMs = dependencies.uptimeMs();
    const finish = (outcome: Pick<Finished, "outcome" | "exitStatus"> & Partial<Finished>): Promise<void> =>
      log.append({
        type: "command-finished",
        ...origin,
        invocationId,
        command: bound.command.name,
        rows: progress.rowCount,
        durationMs: Math.round(dependencies.uptimeMs() - startedMs),
        ...outcome,
      });
    try {
      const { exitStatus, ...sent } = await run(line, ready, invocationId, delivery, signal, progress);
      try {
        await finish({ outcome: "succeeded", exitStatus, ...sent });
      } catch (error) {
        // Its start and its disclosures are on the record; that it ended is not. Never simply "failed".
        const message = "The command ran; its outcome could not be recorded. Tell your administrator.";
        return failed(
          new EndpointError("AuditUnavailable", message, { cause: error }),
          progress.rowCount,
          bound.command.name,
        );
      }
      return { command: bound.command.name, exitStatus, rowCount: progress.rowCount };
    } catch (error) {
      const { failure, reference } = translate(error, signal);
      const outcome = failed(failure, progress.rowCount, bound.command.name);
      try {
        await finish({
          outcome: failure.category === "OperationStopped" ? "stopped" : "failed",
          exitStatus: failure.exitStatus,
          error: describe(failure),
          ...(failure.category === "LimitsExceeded" ? { reason: "limit" as const } : {}),
          ...(reference === undefined ? {} : { reference }),
        });
      } catch (recordError) {
        const message = "The command failed, and its outcome could not be recorded. Tell your administrator.";
        return failed(
          new EndpointError("AuditUnavailable", message, { cause: recordError }),
          progress.rowCount,
          bound.command.name,
        );
      }
      return outcome;
    } finally {
      turn?.end();
    }
  };
};
