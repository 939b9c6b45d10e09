import type { AuditEvent, EventLog } from "../audit/event.ts";

/** Puts events on the record where nothing waits for them: refusals, openings, closings. */
export interface Recorder {
  /** @returns whether the event became durable; never rejects */
  record(event: AuditEvent): Promise<boolean>;
  /** Resolves when every event given so far is durable or failed. */
  settled(): Promise<void>;
}

export const createRecorder = (log: EventLog, report: (problem: string) => void): Recorder => {
  const open = new Set<Promise<boolean>>();
  let failing = false;
  const append = async (event: AuditEvent): Promise<boolean> => {
    try {
      await log.append(event);
      failing = false;
      return true;
    } catch (error) {
      // Once for an outage, not once for an event: a stranger's connections must not fill the terminal instead of the log.
      if (!failing) report(`events can't be recorded (${event.type}): ${String(error)}`);
      failing = true;
      return false;
    }
  };
  return {
    record: (event) => {
      const appended = append(event);
      open.add(appended);
      void appended.finally(() => open.delete(appended));
      return appended;
    },
    settled: async () => {
      while (open.size > 0) await Promise.all(open);
    },
  };
};
