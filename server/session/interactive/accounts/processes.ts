import { readdirSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { codeOf } from "../../../errors.ts";

/** One process, as /proc/PID/status has it (proc_pid_status(5)). */
export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
}

const isId = (name: string): boolean => /^\d+$/.test(name);

/**
 * Whose the processes of this machine are, as far as a quick look tells: by the owner of /proc/PID, which is root for a process
 * that hides itself (PR_SET_DUMPABLE). A hundred processes take a millisecond; their states ten times that.
 */
const owners = (): { readonly pid: number; readonly uid: number }[] =>
  readdirSync("/proc")
    .filter(isId)
    .flatMap((pid) => {
      const found = statSync(`/proc/${pid}`, { throwIfNoEntry: false });
      return found === undefined ? [] : [{ pid: Number(pid), uid: found.uid }];
    });

export const accountsAtWork = (): ReadonlySet<number> => new Set(owners().map(({ uid }) => uid));

/** Whether nothing else runs in the account of this process, as far as a quick look tells. */
export const isAlone = (account: number, own: number | undefined): boolean =>
  owners().every(({ pid, uid }) => uid !== account || pid === own);

const decodeStatus = (pid: number, status: string): RunningProcess | undefined => {
  const uid = /^Uid:\t(\d+)/m.exec(status)?.[1];
  const parent = /^PPid:\t(\d+)/m.exec(status)?.[1];
  if (uid === undefined || parent === undefined) return undefined; // it ended while it was read
  return { pid, parent: Number(parent), uid: Number(uid) };
};

const hasEnded = (error: unknown): boolean => ["ENOENT", "ESRCH"].includes(codeOf(error) ?? "");

/**
 * Processes of these accounts. One at a time: so many reads at once would keep the log's writes waiting.
 *
 * @throws Error of the system when a process that runs can't be looked at: then nobody knows
 */
export const processesOf = async (uids: ReadonlySet<number>): Promise<readonly RunningProcess[]> => {
  const found: RunningProcess[] = [];
  for (const pid of (await readdir("/proc")).filter(isId)) {
    const status = await readFile(`/proc/${pid}/status`, "latin1").catch((error: unknown) => {
      if (hasEnded(error)) return "";
      throw error;
    });
    const running = decodeStatus(Number(pid), status);
    if (running !== undefined && uids.has(running.uid)) found.push(running);
  }
  return found;
};
