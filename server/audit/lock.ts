import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { EndpointError } from "../errors.ts";

const owner = z.strictObject({ pid: z.number().int().positive(), startedAt: z.string() });

/**
 * Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. Tells a process from a later one that
 * was given the same pid. Empty where there is no /proc; the pid alone decides then.
 */
const processStart = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
};

const readOwner = (path: string): z.infer<typeof owner> | undefined => {
  try {
    return owner.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
};

/**
 * Takes the log's lock: one process appends (design §9). A lock left by a process that is gone is taken over.
 *
 * A file made by link(2) rather than flock(2), which node does not offer: the content is there the moment the name is.
 *
 * @returns a function that gives the lock back
 * @throws EndpointError ResourceExists naming the process that holds it
 */
export const takeLock = (path: string): (() => void) => {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, startedAt: processStart(process.pid) }), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      try {
        linkSync(mine, path);
        return () => {
          rmSync(path, { force: true });
        };
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      }
      const holder = readOwner(path);
      if (holder !== undefined && isAlive(holder.pid) && processStart(holder.pid) === holder.startedAt) {
        throw new EndpointError("ResourceExists", `The log is in use by process ${holder.pid}.`);
      }
      // Two processes may find the same stale lock: only one of them can rename it away.
      try {
        renameSync(path, `${path}.stale.${process.pid}`);
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
      }
      rmSync(`${path}.stale.${process.pid}`, { force: true });
    }
    throw new EndpointError("ResourceExists", "The log's lock changes hands too fast; try again.");
  } finally {
    rmSync(mine, { force: true });
  }
};
