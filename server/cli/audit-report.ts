import { join, resolve } from "node:path";
import type { ReportStep } from "../audit-review/report/make-report.ts";
import { findObstacle } from "../audit-review/report/report-folder.ts";
import type { ReportProgress } from "../audit-review/report/write-report.ts";
import type { GivenTrust } from "../audit-review/review-task.ts";
import { runInWorker } from "../audit-review/run-in-worker.ts";
import type { SessionQuery } from "../command/review-port.ts";
import { EndpointError } from "../errors.ts";
import type { Io } from "./io.ts";

interface ReportRequest extends GivenTrust {
  readonly dataDirectory: string;
  readonly folder: string;
  readonly query: SessionQuery;
  /** The query in words; empty for all sessions. */
  readonly only: string;
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
  const { dataDirectory, query, only, publicKey, sinceCheckpoint, stop } = request;
  const folder = resolve(request.folder);
  const obstacle = findObstacle(folder);
  if (obstacle !== undefined) {
    throw new EndpointError("ResourceExists", `${folder} is left as it is: ${obstacle}. Name another folder.`);
  }
  await putOnRecord();
  io.stderr.write("Verifying the record.\n");
  const progress = progressLine(io);
  const assetsFolder = join(io.packageRoot, "dist", "report");
  const about = { query, only, madeAt: io.now(), madeBy: io.localUser, version: io.version };
  let done: ReportStep = { written: 0, sessions: 0, problems: 0 };
  try {
    const task = { kind: "report", dataDirectory, folder, publicKey, sinceCheckpoint, assetsFolder, ...about } as const;
    for await (done of runInWorker(task, { signal: stop })) progress.show(done);
  } catch (error) {
    if (!stop.aborted) throw error;
    throw new EndpointError(
      "OperationStopped",
      `Stopped; ${folder} holds no whole report. Run it again to replace it.`,
    );
  } finally {
    progress.end();
  }
  io.stdout.write(`${done.written} sessions in ${join(folder, "index.html")}\n`);
  if (done.problems > 0) {
    io.stderr.write(
      `The record does not hold: ${done.problems} problems, named in the report and by pep audit verify.\n`,
    );
  }
  return 0;
};
