import { randomBytes } from "node:crypto";
import type { AuditEvent, EventLog, Origin } from "../audit/event.ts";
import { OnRecord } from "../audit/on-record.ts";
import type { Admitted } from "./admit.ts";

type Finished = Extract<AuditEvent, { type: "command-finished" }>;
type End = Omit<Finished, "type" | "invocationId" | "command" | "durationMs" | keyof Origin>;

export interface RecordDependencies {
  readonly log: EventLog;
  readonly origin: Origin;
  readonly uptimeMs: () => number;
}

/** What the record has of one invocation. */
export interface InvocationRecord {
  readonly invocationId: string;
  /** Its start is durable: what opens the ports of data. */
  readonly opening: OnRecord<"command-started">;
  /** @throws EndpointError AuditUnavailable */
  readonly end: (end: End) => Promise<void>;
}

/** @throws EndpointError AuditUnavailable; then nothing may run */
export const recordStart = async (
  { log, origin, uptimeMs }: RecordDependencies,
  { bound, approved }: Admitted,
): Promise<InvocationRecord> => {
  const { name: command, parameters, reason } = bound.command;
  const invocationId = `I-${randomBytes(6).toString("hex")}`;
  const about = { ...origin, invocationId, command };
  const opening = await OnRecord.put(log, {
    type: "command-started",
    ...about,
    parameters: { ...parameters } as Record<string, string | boolean | number | string[]>, // zod's record is mutable in type; nothing writes to it
    pipeline: bound.shaping.map(({ canonical }) => canonical),
    roleCapability: bound.roleCapability,
    ...(reason === undefined ? {} : { reason }),
    ...(approved === undefined ? {} : { requestId: approved.requestId }),
  });
  const startedMs = uptimeMs();
  return {
    invocationId,
    opening,
    end: ({ rows, ...outcome }) => {
      const durationMs = Math.round(uptimeMs() - startedMs);
      return log.append({ type: "command-finished", ...about, rows, durationMs, ...outcome });
    },
  };
};
