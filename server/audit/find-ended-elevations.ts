import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** No request and no approval lives longer than a day each (roles-schema.ts). */
const longestLifeMs = 48 * 60 * 60_000;

const ended = z.looseObject({
  event: z.looseObject({
    type: z.literal("elevation"),
    state: z.enum(["denied", "consumed", "expired"]),
    requestId: z.string(),
  }),
});

const requestOf = (line: string): string | undefined => {
  if (!line.includes('"elevation"')) return undefined; // most lines: not worth parsing
  try {
    const decoded = ended.safeParse(JSON.parse(line));
    return decoded.success ? decoded.data.event.requestId : undefined;
  } catch {
    return undefined; // a torn line; opening the log repairs and records it
  }
};

/**
 * Requests for approval that the log says are over. The elevation store knows them too, unless somebody cut its end off:
 * then an approval that was used would look unused.
 */
export const findEndedElevations = (directory: string, now: Date): ReadonlySet<string> => {
  const segments = readdirSync(directory)
    .filter((name) => name.endsWith(".ndjson"))
    .map((name) => join(directory, name))
    .filter((path) => now.getTime() - statSync(path).mtimeMs < longestLifeMs);
  return new Set(
    segments.flatMap((path) =>
      readFileSync(path, "utf8")
        .split("\n")
        .flatMap((line) => requestOf(line) ?? []),
    ),
  );
};
