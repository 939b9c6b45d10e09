/** Written by a start before it signs for the first time. */
const beforeSigning = /^(?:log-adopted|log-repaired|transcript-removed|session-ended|checkpoint|loss-accepted)$/;
/** A checkpoint is due after 1,000 events, or 30 s: this is a multiple that no slow disk explains. */
const mostUnsigned = 10_000;
const longestUnsignedMs = 10 * 60_000;

/**
 * Tells, from the lines of a log that has no checkpoint, whether it ever had one. A start signs what it found before it goes on,
 * so only a first run that was killed early leaves none; a start that was killed before it signed leaves its own events behind that.
 */
export const findSignedPast = () => {
  let lines = 0;
  let firstMs: number | undefined;
  let lastMs = 0;
  let laterRun = false;
  let started = false;
  let failing = false;
  let found = false;
  return {
    take(line: Buffer): void {
      if (found) return;
      const head = line.toString("latin1", 0, 600);
      const ms = Number(/"uptimeMs":([\d.]+)/.exec(head)?.[1] ?? 0);
      const [, type = "", rest = ""] = /"event":\{"type":"([a-z-]+)"(.*)/.exec(head) ?? [];
      lines += 1;
      firstMs ??= ms;
      // The clock of another process begins anew.
      if (ms < lastMs || type === "log-adopted") laterRun = true;
      lastMs = ms;
      if (type === "checkpoint") failing = rest.includes('"state":"failing"');
      const unsignedForLong = lines > mostUnsigned || ms - firstMs > longestUnsignedMs;
      found =
        type === "log-pruned" ||
        (type === "log-adopted" && !rest.startsWith(',"from":1,')) ||
        (type === "server-started" && started) ||
        (type === "checkpoint" && !failing) ||
        (laterRun && !beforeSigning.test(type)) ||
        (!laterRun && !failing && unsignedForLong);
      started ||= type === "server-started";
    },
    get wasSigned(): boolean {
      return found;
    },
  };
};
