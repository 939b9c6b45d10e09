/**
 * What it costs the server when auditors read a large record: node --expose-gc test/bench/review-record.ts [EVENTS]
 * Prints a line of JSON a review: rows, seconds, how much memory grew (resident, the thread's too), and how long the
 * server's own thread was held up at most. 1,000,000 events unless told otherwise.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { LiveFeed } from "../../server/audit-review/live-feed.ts";
import { createReview } from "../../server/audit-review/review.ts";
import type { ReviewPort } from "../../server/command/review-port.ts";
import { sessionEventAt, writeManyEvents } from "../audit-review/many-events.ts";

const events = Number(process.argv[2] ?? 1_000_000);
const dataDirectory = mkdtempSync(join(tmpdir(), "pep-bench-"));

const drain = async (batches: AsyncIterable<{ readonly length: number }>): Promise<number> => {
  let count = 0;
  for await (const batch of batches) count += batch.length;
  return count;
};

/** The last tenth of the log's time. */
const since = new Date(1_700_000_000_000 + events * 900);
const reviews: Readonly<Record<string, (review: ReviewPort) => Promise<number>>> = {
  "Get-Session": async (review) => drain(await review.sessions({})),
  "Get-Session -KeyId": async (review) => drain(await review.sessions({ keyId: `ID-${Math.floor(events / 10)}` })),
  "Get-Session -Since": async (review) => drain(await review.sessions({ since })),
  "Get-AuditEvent": async (review) => drain(await review.events({ follow: false })),
  "Get-AuditEvent -SessionId": async (review) =>
    drain(await review.events({ sessionId: "S-0000000000000005", follow: false })),
  "Get-AuditEvent -Last": async (review) => drain(await review.events({ last: 100, follow: false })),
  "Test-AuditLog": async (review) => (await review.verify(undefined, () => undefined)).events,
  "Export-AuditLog (bytes)": async (review) => drain(await review.exportRecord()),
};

try {
  writeManyEvents(dataDirectory, events, sessionEventAt);
  const feed = new LiveFeed();
  feed.take(events);
  // The bench is about reading: what a review writes is one event.
  const log = { append: async () => undefined, checkpoint: async () => undefined };
  const review = createReview({ dataDirectory, log, feed, eventTypes: [] });
  for (const [name, work] of Object.entries(reviews)) {
    globalThis.gc?.();
    const rssBefore = process.memoryUsage.rss();
    let rssMost = rssBefore;
    const watching = setInterval(() => (rssMost = Math.max(rssMost, process.memoryUsage.rss())), 50);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const started = performance.now();
    const rows = await work(review({ connectedUser: "auditor" }, new AbortController().signal));
    const seconds = (performance.now() - started) / 1000;
    delay.disable();
    clearInterval(watching);
    console.log(
      JSON.stringify({
        review: name,
        rows,
        seconds: Number(seconds.toFixed(2)),
        grewMiB: Math.round((rssMost - rssBefore) / 1024 / 1024),
        heldUpMs: { p99: Math.round(delay.percentile(99) / 1e6), most: Math.round(delay.max / 1e6) },
      }),
    );
  }
} finally {
  rmSync(dataDirectory, { recursive: true, force: true });
}
