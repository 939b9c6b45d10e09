import { existsSync, readFileSync } from "node:fs";
import type { KeyObject } from "node:crypto";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { recordPaths } from "../audit-review/record-paths.ts";
import { findObstacle, prepareFolder } from "../audit-review/report/report-folder.ts";
import { writeReport, type ReportProgress } from "../audit-review/report/write-report.ts";
import type { SessionFilter } from "../audit-review/sessions.ts";
import { verifyRecord } from "../audit-review/verify-record.ts";
import { EndpointError } from "../errors.ts";
import type { Io } from "./io.ts";

interface ReportRequest {
  readonly dataDirectory: string;
  readonly folder: string;
  readonly filter: SessionFilter;
  /** The filter in words; empty for all sessions. */
  readonly only: string;
  readonly publicKey: KeyObject | undefined;
  readonly sinceCheckpoint: string | undefined;
  readonly stop: AbortSignal;
}

const redrawEveryMs = 100;

/** A line that counts, where a person looks; elsewhere nothing, for it would fill a log. */
const progressLine = (io: Io) => {
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    show: ({ written, sessions }: ReportProgress): void => {
      if (!io.stderr.isTTY || io.uptimeMs() - drawnAt < redrawEveryMs) return;
      drawnAt = io.uptimeMs();
      io.stderr.write(`\r\u001B[K${written} of ${sessions} sessions written`);
    },
    end: (): void => {
      if (io.stderr.isTTY) io.stderr.write("\r\u001B[K");
    },
  };
};

/**
 * `pep audit export --html DIR`.
 *
 * @param putOnRecord called when nothing stands in the way, before anything is read
 */
export const exportReport = async (
  request: ReportRequest,
  io: Io,
  putOnRecord: () => Promise<void>,
): Promise<number> => {
  const { dataDirectory, filter, only, publicKey, sinceCheckpoint, stop } = request;
  const folder = resolve(request.folder);
  const obstacle = findObstacle(folder);
  if (obstacle !== undefined) {
    throw new EndpointError("ResourceExists", `${folder} is left as it is: ${obstacle}. Name another folder.`);
  }
  await putOnRecord();
  const paths = recordPaths(dataDirectory);
  io.stderr.write("Verifying the record.\n");
  // Before the verification: a later checkpoint would cover events that it did not see.
  const checkpoint = existsSync(paths.checkpoint) ? readFileSync(paths.checkpoint, "utf8") : undefined;
  const verification = verifyRecord({ dataDirectory, publicKey, sinceCheckpoint });
  const facts = { madeAt: io.now(), madeBy: io.localUser, version: io.version, only, checkpoint, verification };
  prepareFolder(folder);
  const progress = progressLine(io);
  const assetsFolder = join(io.packageRoot, "dist", "report");
  let done: ReportProgress = { written: 0, sessions: 0 };
  try {
    for (done of writeReport({ paths, folder, filter, facts, assetsFolder })) {
      progress.show(done);
      if (done.written % 64 === 0) await setImmediate(); // a signal is heard between two turns only
      if (stop.aborted) {
        throw new EndpointError(
          "OperationStopped",
          `Stopped; ${folder} holds no whole report. Run it again to replace it.`,
        );
      }
    }
  } finally {
    progress.end();
  }
  const { problems } = verification;
  io.stdout.write(`${done.written} sessions in ${join(folder, "index.html")}\n`);
  if (problems.length > 0) {
    io.stderr.write(
      `The record does not hold: ${problems.length} problems, named in the report and by pep audit verify.\n`,
    );
  }
  return 0;
};
