import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keepSummary } from "../../server/audit/keep-summary.ts";
import type { OpenRecord } from "../../server/audit/open-record.ts";
import type { Summary } from "../../server/audit/summary.ts";
import { emptyRecord, openAt, recordSession, type MadeRecord } from "./record.ts";
import { testRuntime } from "../harness/runtime.ts";

/** Makes a summary of what is over, as a running server does. */
export const summarize = async (made: MadeRecord, record: OpenRecord): Promise<void> => {
  const keeper = keepSummary({
    directory: join(made.dataDirectory, "audit"),
    key: made.key,
    log: record,
    runtime: testRuntime(),
    through: record.recentBefore?.through ?? 0,
  });
  await keeper.look();
  await keeper.close();
};

/** Sessions over several segments; a summary is about all but the last of them. */
export const summarizedRecord = async (): Promise<MadeRecord> => {
  const made = emptyRecord();
  const record = await openAt(made, { segmentBytes: 900 });
  for (const sessionId of ["S-1", "S-2", "S-3"]) await recordSession(record, made.dataDirectory, sessionId);
  await summarize(made, record);
  await recordSession(record, made.dataDirectory, "S-4");
  await record.close();
  return made;
};

/** A summary as it lies on the disk: its signature, and the rest. */
export const readSummary = (path: string): { readonly signature: string; readonly summary: Summary } => {
  const [signature = "", text = ""] = readFileSync(path, "utf8").split("\n");
  return { signature, summary: JSON.parse(text) };
};
