import type { CommandContext } from "../../server/command/define-command.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { OnRecord } from "../../server/audit/on-record.ts";
import { closePorts, type ClosedPorts } from "../../server/session/open-ports.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { noReview } from "./review.ts";
import { noTranscripts } from "./no-transcripts.ts";

/** A site database and no record to look at. */
export const portsOf = (siteDatabase: SiteDatabase, now: () => Date = () => new Date()): ClosedPorts =>
  closePorts({ siteDatabase, transcripts: noTranscripts, review: noReview, now });

/** A command's start, on a log that keeps nothing. */
export const startOnRecord = (): Promise<CommandContext["opening"]> => {
  const event: Extract<AuditEvent, { type: "command-started" }> = {
    type: "command-started",
    invocationId: "I-1",
    command: "Get-Command",
    parameters: {},
    pipeline: [],
    roleCapability: "default",
  };
  return OnRecord.put({ append: () => Promise.resolve() }, event);
};
