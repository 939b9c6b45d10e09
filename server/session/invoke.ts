import { randomBytes } from "node:crypto";
import { OnRecord } from "../audit/on-record.ts";
import { EndpointError } from "../errors.ts";
import { createAdmit, type Admitted, type AdmitDependencies } from "./admit.ts";
import type { Delivery, Invoke, Outcome } from "./delivery.ts";
import { describe, failed, translate } from "./failed.ts";
import { inTurns } from "./in-turns.ts";
import { runCommand, type RunDependencies } from "./run-command.ts";

export interface InvokeDependencies extends AdmitDependencies, RunDependencies {
  readonly elevation: AdmitDependencies["elevation"];
  readonly uptimeMs: () => number;
}

/** Makes the only way to a command for one session: admit, put its start on the record, run, put its end there. */
export const createInvoke = (dependencies: InvokeDependencies): Invoke => {
  const { log, origin, uptimeMs } = dependencies;
  const admit = createAdmit(dependencies);

  const runAdmitted = async (admitted: Admitted, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const { bound, approved } = admitted;
    const command = bound.command.name;
    const about = { ...origin, invocationId: `I-${randomBytes(6).toString("hex")}`, command };
    const opening = await OnRecord.put(log, {
      type: "command-started",
      ...about,
      parameters: { ...bound.command.parameters } as Record<string, string | boolean | number | string[]>, // zod's record is mutable in type; nothing writes to it
      pipeline: bound.shaping.map(({ canonical }) => canonical),
      roleCapability: bound.roleCapability,
      ...(bound.command.reason === undefined ? {} : { reason: bound.command.reason }),
      ...(approved === undefined ? {} : { requestId: approved.requestId }),
    });
    const startedMs = uptimeMs();
    const progress = { rowCount: 0 };
    const finished = () =>
      ({
        type: "command-finished",
        ...about,
        rows: progress.rowCount,
        durationMs: Math.round(uptimeMs() - startedMs),
      }) as const;
    /** Its start and its disclosures are on the record; that it ended is not. Never simply "failed". */
    const unrecorded =
      (message: string) =>
      (cause: unknown): Outcome =>
        failed(new EndpointError("AuditUnavailable", message, { cause }), progress.rowCount, command);
    try {
      const { invocationId } = about;
      const paced = inTurns(delivery, admitted, signal);
      const ran = await runCommand(dependencies, {
        admitted,
        opening,
        invocationId,
        delivery: paced,
        signal,
        progress,
      });
      return await log
        .append({ ...finished(), outcome: "succeeded", ...ran })
        .then(
          () => ({ command, exitStatus: ran.exitStatus, rowCount: progress.rowCount }),
          unrecorded("The command ran; its outcome could not be recorded. Tell your administrator."),
        );
    } catch (error) {
      const { failure, reference } = translate(error, signal);
      const end = {
        outcome: failure.category === "OperationStopped" ? "stopped" : "failed",
        exitStatus: failure.exitStatus,
        error: describe(failure),
        ...(failure.category === "LimitsExceeded" ? { reason: "limit" as const } : {}),
        ...(reference === undefined ? {} : { reference }),
      } as const;
      return log
        .append({ ...finished(), ...end })
        .then(
          () => failed(failure, progress.rowCount, command),
          unrecorded("The command failed, and its outcome could not be recorded. Tell your administrator."),
        );
    }
  };

  return async (line, delivery, signal) => {
    let turn: Admitted["turn"] | undefined;
    try {
      const admitted = await admit(line, delivery, signal);
      turn = admitted.turn;
      return await runAdmitted(admitted, delivery, signal);
    } catch (error) {
      // Refused, or its start could not be recorded: nothing ran.
      return failed(error instanceof EndpointError ? error : translate(error, signal).failure, 0);
    } finally {
      turn?.end();
    }
  };
};
