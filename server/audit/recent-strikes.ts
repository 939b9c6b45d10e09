import { statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { findSegments, wholeLinesOf } from "./log-lines.ts";

const dayMs = 24 * 60 * 60_000;

/** Lines that may be about a budget: few of them are worth parsing. */
const worthParsing = /"budget-struck"|"connection-dropped"|"too many sessions"/;

const line = z.looseObject({
  at: z.iso.datetime(),
  event: z.discriminatedUnion("type", [
    z.looseObject({ type: z.literal("budget-struck"), budget: z.string(), connectedUser: z.string() }),
    z.looseObject({
      type: z.literal("connection-dropped"),
      guard: z.enum(["connectionsPerUser", "connectionIdleMinutes"]),
      connectedUser: z.string(),
    }),
    z.looseObject({
      type: z.literal("request-refused"),
      reason: z.literal("too many sessions"),
      connectedUser: z.string(),
    }),
  ]),
});

/** The setting that struck. */
const budgetOf = (event: z.infer<typeof line>["event"]): string => {
  if (event.type === "budget-struck") return event.budget;
  return event.type === "connection-dropped" ? event.guard : "sessionsPerUser";
};

const decode = (text: string): z.infer<typeof line> | undefined => {
  try {
    return line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // a torn line, which the next start moves aside
  }
};

/** How often each budget of a user struck within the last day, and whom. */
export type Strikes = ReadonlyMap<string, { readonly count: number; readonly users: ReadonlySet<string> }>;

const linesOf = function* (paths: readonly string[]): Generator<string> {
  for (const path of paths) yield* wholeLinesOf(path);
};

/** @param directory the log's segments */
export const readRecentStrikes = (directory: string, now: Date): Strikes => {
  const strikes = new Map<string, { count: number; readonly users: Set<string> }>();
  const since = now.getTime() - dayMs;
  const segments = findSegments(directory)
    .filter(({ pruned }) => !pruned)
    .map(({ name }) => join(directory, name))
    .filter((path) => statSync(path).mtimeMs >= since);
  for (const text of linesOf(segments)) {
    const decoded = worthParsing.test(text) ? decode(text) : undefined;
    if (decoded === undefined || Date.parse(decoded.at) < since) continue;
    const budget = budgetOf(decoded.event);
    const strike = strikes.get(budget) ?? { count: 0, users: new Set() };
    strike.count += 1;
    strike.users.add(decoded.event.connectedUser);
    strikes.set(budget, strike);
  }
  return strikes;
};
