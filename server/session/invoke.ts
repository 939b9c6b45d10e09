import { given } from "../command/given.ts";
import { EndpointError } from "../errors.ts";
import { describe, translate } from "../failure-messages.ts";
import { createAdmit, type Admitted, type AdmitDependencies } from "./admit.ts";
import { failed, type Delivery, type Invoke, type Outcome } from "./delivery.ts";
import { inTurns } from "./in-turns.ts";
import { recordStart, type RecordDependencies } from "./invocation-record.ts";
import { runCommand, type RunDependencies } from "./run-command.ts";

export interface InvokeDependencies extends AdmitDependencies, RunDependencies, RecordDependencies {
  readonly elevation: AdmitDependencies["elevation"];
}

/** Makes the only way to a command for one session: admit, put its start on the record, run, put its end there. */
export const createInvoke = (dependencies: InvokeDependencies): Invoke => {
  const admit = createAdmit(dependencies);

  const runAdmitted = async (admitted: Admitted, delivery: Delivery, signal: AbortSignal): Promise<Outcome> => {
    const command = admitted.bound.command.name;
    const { invocationId, opening, end } = await recordStart(dependencies, admitted);
    const progress = { rowCount: 0 };
    /** Its start and its disclosures are on the record; that it ended is not. Never simply "failed". */
    const unrecorded = (happened: string) => (cause: unknown) => {
      const message = `${happened} could not be recorded. Tell your administrator.`;
      return failed(new EndpointError("AuditUnavailable", message, { cause }), progress.rowCount, command);
    };
    try {
      const paced = inTurns(delivery, admitted, signal);
      const started = { admitted, opening, invocationId, delivery: paced, signal, progress };
      const { collected, ...ran } = await runCommand(dependencies, started);
      const { exitStatus } = ran;
      const outcome: Outcome = { command, exitStatus, rowCount: progress.rowCount, ...given({ collected }) };
      const ended = end({ outcome: "succeeded", rows: progress.rowCount, ...ran });
      return await ended.then(() => outcome, unrecorded("The command ran; its outcome"));
    } catch (error) {
      const { failure, reference } = translate(error, signal);
      const ended = end({
        rows: progress.rowCount,
        outcome: failure.category === "OperationStopped" ? "stopped" : "failed",
        exitStatus: failure.exitStatus,
        error: describe(failure),
        ...(failure.category === "LimitsExceeded" ? { reason: "limit" as const } : {}),
        ...(reference === undefined ? {} : { reference }),
      });
      const outcome = failed(failure, progress.rowCount, command);
      return ended.then(() => outcome, unrecorded("The command failed, and its outcome"));
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
