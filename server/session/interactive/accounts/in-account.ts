import { execFile } from "node:child_process";
import type { UiIsolation } from "../isolation.ts";

export type OwnAccounts = Extract<UiIsolation, { readonly kind: "own-accounts" }>;
/** What it takes to run something in an account. */
export type AccountTools = Pick<OwnAccounts, "setpriv" | "prlimit" | "emptiesBounding">;
type Command = readonly [string, ...string[]];

/** Node has a dozen threads, and each counts. */
const mostThreads = 32;
const patienceMs = 5_000;

/** What follows runs in this account, without a group, a capability or a way to one. */
const inAccount = ({ setpriv, emptiesBounding }: AccountTools, account: number): Command => [
  setpriv,
  `--reuid=${account}`,
  `--regid=${account}`,
  "--clear-groups",
  ...(emptiesBounding ? ["--bounding-set=-all"] : []),
  "--inh-caps=-all",
  "--ambient-caps=-all",
  "--no-new-privs",
  "--",
];

/**
 * What follows runs in this account, if nothing else does: with a limit of no process at all, `setuid` to an account that anything runs
 * in makes the next `exec` fail with EAGAIN (Linux: kernel/sys.c `flag_nproc_exceeded`, fs/exec.c), and `setpriv` with 126. That sees another server's
 * processes too, and those that hide from /proc. The second `prlimit` is that `exec`, and gives Node its threads.
 *
 * @param limits further ones, in prlimit's words
 */
export const aloneInAccount = (isolation: AccountTools, account: number, limits: readonly string[] = []): Command => [
  isolation.prlimit,
  ...limits,
  `--nproc=0:${mostThreads}`,
  "--",
  ...inAccount(isolation, account),
  isolation.prlimit,
  `--nproc=${mostThreads}:${mostThreads}`,
  "--",
];

/** @returns the exit status; `undefined`: it was killed, or could not be started */
const run = ([program, ...args]: Command): Promise<number | undefined> =>
  new Promise((resolve) => {
    const options = { cwd: "/", env: { PATH: "/usr/bin:/bin" }, timeout: patienceMs, killSignal: "SIGKILL" } as const;
    execFile(program, args, options, (error) => {
      if (error === null) resolve(0);
      else resolve(typeof error.code === "number" ? error.code : undefined);
    });
  });

const tryIn = (isolation: AccountTools, account: number): Promise<number | undefined> =>
  run([...aloneInAccount(isolation, account), "true"]);

/** Whether nothing runs in this account. A process that has ended counts until its parent has asked how. */
export const isEmpty = async (isolation: AccountTools, account: number): Promise<boolean> =>
  (await tryIn(isolation, account)) === 0;

/** Of `setpriv`, where what follows can't be executed. */
const notExecuted = 126;
const mostTried = 3;

/**
 * Whether this kernel starts anything in an account that is empty. One before Linux 5.17 may count the process itself, or those of root: nothing ever
 * starts there.
 *
 * @param idle accounts that nothing runs in, as far as a quick look tells
 */
export const startsAlone = async (isolation: AccountTools, idle: readonly number[]): Promise<boolean> => {
  for (const account of idle.slice(0, mostTried)) if ((await tryIn(isolation, account)) !== notExecuted) return true;
  return idle.length < mostTried;
};

/**
 * In this account `kill -1` reaches all of it at once, and nothing else; so does `ipcrm` of what lives on without a process. In root's they
 * would reach everything: so it looks first.
 */
const endHere = `while read -r name uid others; do
if [ "$name" = Uid: ] && [ "$uid" = "$1" ] && [ "$uid" -gt 0 ]; then
kill -s KILL -- -1
ipcrm --all
fi
done </proc/self/status`;

/**
 * Ends every process of this account, and its System V shared memory and queues (sysvipc(7)). Not one by one from /proc: what forks and ends again and again is gone from the list before it is
 * read. The kernel lets no fork by.
 */
export const endAll = async (isolation: AccountTools, account: number): Promise<void> => {
  await run([...inAccount(isolation, account), "/bin/sh", "-c", endHere, "pep", String(account)]);
};
