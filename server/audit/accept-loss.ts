import { EndpointError } from "../errors.ts";
import type { AuditEvent } from "./event.ts";
import { describeLoss, type RecordLoss } from "./record-loss.ts";
import { firstOf } from "../model/list-in-words.ts";

/**
 * Whether a start must not go on. A transcript without a digest in the log was never closed: a crash of the machine can lose it,
 * and the end of its session says so.
 */
export const refusesToStart = ({ checkpoints, altered, segments, missing, extra }: RecordLoss): boolean =>
  checkpoints === "gone" ||
  altered !== undefined ||
  segments.length > 0 ||
  extra.length > 0 ||
  missing.some(({ digest }) => digest !== "");

/** @throws EndpointError AuditUnavailable when something is lost that nobody accepted */
export const refuseLoss = (loss: RecordLoss, accepted: RecordLoss | undefined): void => {
  if (accepted === undefined ? !refusesToStart(loss) : JSON.stringify(accepted) === JSON.stringify(loss)) return;
  const what = firstOf(describeLoss(loss)) || "it is not what was accepted";
  throw new EndpointError(
    "AuditUnavailable",
    `The record is not whole: ${what}. The endpoint does not go on with such a record. Keep a copy of the audit directory, then put back what is missing, or accept the loss on the record: pep audit accept-loss`,
  );
};

/** So many transcripts are named in one event: a line has an end. */
const mostNamed = 5_000;

/** What an administrator accepts, exactly. */
export const lossEvents = (
  { segments, missing, extra, checkpoints, altered }: RecordLoss,
  localUser: string,
): Extract<AuditEvent, { type: "loss-accepted" }>[] => {
  const said = { type: "loss-accepted", localUser } as const;
  const events: Extract<AuditEvent, { type: "loss-accepted" }>[] = [
    {
      ...said,
      segments: [...segments],
      missing: [],
      extra: [],
      checkpoints,
      ...(altered === undefined ? {} : { altered }),
    },
  ];
  for (let at = 0; at < Math.max(missing.length, extra.length); at += mostNamed) {
    const part = {
      missing: missing.slice(at, at + mostNamed),
      extra: extra.slice(at, at + mostNamed),
    };
    if (at === 0) Object.assign(events[0] ?? {}, part);
    else events.push({ ...said, segments: [], ...part, checkpoints: "kept" });
  }
  return events;
};
