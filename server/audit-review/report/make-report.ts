import { existsSync } from "node:fs";
import { readTextOfRecord } from "../../audit/open-of-record.ts";
import type { RecordPaths } from "../record-paths.ts";
import type { SessionQuery } from "../../command/review-port.ts";
import type { Verification } from "../verify-record.ts";
import { prepareFolder } from "./report-folder.ts";
import { writeReport, type ReportProgress } from "./write-report.ts";

export interface ReportWork {
  /** Has nothing in it that may not be replaced (report-folder.ts). */
  readonly folder: string;
  readonly query: SessionQuery;
  /** The filter in words; empty for all sessions. */
  readonly only: string;
  readonly madeAt: Date;
  readonly madeBy: string;
  readonly version: string;
  /** The folder that build.ts made for the browser. */
  readonly assetsFolder: string;
}

export interface ReportStep extends ReportProgress {
  /** What the verification found wrong. */
  readonly problems: number;
}

/** Verifies the record, and writes the report of it. */
export const makeReport = function* (
  paths: RecordPaths,
  { folder, query, assetsFolder, ...about }: ReportWork,
  verify: () => Verification,
): Generator<ReportStep> {
  // Before the verification: a later checkpoint would cover events that it did not see.
  const checkpoint = existsSync(paths.checkpoint) ? readTextOfRecord(paths.checkpoint) : undefined;
  const verification = verify();
  prepareFolder(folder);
  const facts = { ...about, checkpoint, verification };
  for (const progress of writeReport({ paths, folder, query, facts, assetsFolder })) {
    yield { ...progress, problems: verification.problems.length };
  }
};
