/**
 * How long a large record takes to verify, and in how much memory: node test/bench/verify-record.ts [EVENTS]
 * Prints one line of JSON. 1,000,000 events unless told otherwise.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { writeManyEvents } from "../audit-review/many-events.ts";

const events = Number(process.argv[2] ?? 1_000_000);
const dataDirectory = mkdtempSync(join(tmpdir(), "pep-bench-"));
try {
  writeManyEvents(dataDirectory, events);
  globalThis.gc?.();
  const rssBefore = process.memoryUsage.rss();
  const started = performance.now();
  const { problems, events: seen } = verifyRecord({ dataDirectory, publicKey: undefined, sinceCheckpoint: undefined });
  const seconds = (performance.now() - started) / 1000;
  const grewMiB = (process.memoryUsage.rss() - rssBefore) / 1024 / 1024;
  console.log(
    JSON.stringify({
      events: seen,
      problems: problems.length,
      seconds: Number(seconds.toFixed(2)),
      grewMiB: Math.round(grewMiB),
    }),
  );
} finally {
  rmSync(dataDirectory, { recursive: true, force: true });
}
