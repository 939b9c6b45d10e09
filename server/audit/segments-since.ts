import { closeSync, readSync } from "node:fs";
import { join } from "node:path";
import { openOfRecord } from "./open-of-record.ts";
import { findSegments, type Segment } from "./log-lines.ts";

/** A clock that was set back by less than this hides nothing from a filter by time. */
export const clockMarginMs = 24 * 60 * 60 * 1000;

/** Every line begins `{"seq":N,"at":"…"`. */
const firstTimeMs = (path: string): number => {
  const { fd } = openOfRecord(path);
  try {
    const head = Buffer.alloc(100);
    const length = readSync(fd, head, 0, head.length, 0);
    return Date.parse(/^\{"seq":\d+,"at":"([^"]+)"/.exec(head.toString("latin1", 0, length))?.[1] ?? "");
  } finally {
    closeSync(fd);
  }
};

/** The segments that may hold events of this time or later: one is passed over when the next begins well before it. */
export const segmentsSince = (directory: string, since: Date | undefined): readonly Segment[] => {
  const segments = findSegments(directory);
  if (since === undefined) return segments;
  // From the end: a filter wants the newest, and a log may have thousands of segments.
  for (let index = segments.length - 1; index > 0; index -= 1) {
    const segment = segments[index];
    if (segment === undefined || segment.pruned) return segments.slice(index);
    if (firstTimeMs(join(directory, segment.name)) < since.getTime() - clockMarginMs) return segments.slice(index);
  }
  return segments;
};
