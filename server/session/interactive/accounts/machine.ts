import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { startsAlone } from "./in-account.ts";
import { accountsAtWork } from "./processes.ts";
import { findTakenIds, isWithin, type IdRange, type TakenIds } from "./taken-ids.ts";

/** Of this process, by capabilities(7); a set is a number with a bit for each. */
export interface Rights {
  readonly effective: bigint;
  readonly bounding: bigint;
}

/** What the account of a UI process depends on. */
export interface Machine {
  /** `undefined` where the system has none. */
  readonly uid: number | undefined;
  /** `undefined` where the system is not Linux. */
  readonly rights: Rights | undefined;
  /** Of util-linux; `undefined` where it is not installed. */
  readonly setpriv: string | undefined;
  readonly prlimit: string | undefined;
  /** Ids that this process can give to another, by user_namespaces(7). */
  readonly mapped: readonly IdRange[];
  readonly taken: readonly TakenIds[];
  /** Whether its kernel starts a process in an account that is empty (`in-account.ts`). */
  readonly startsAlone: boolean;
  /** Files of the program that other accounts may not use, with the command that mends it. */
  readonly closedFiles: readonly string[];
}

const folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];

/** Not BusyBox's of the same name, which know half of it. */
const findProgram = (name: string): string | undefined =>
  folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return basename(realpathSync(path)) === name;
      } catch {
        return false;
      }
    });

const readSet = (status: string, name: string): bigint =>
  BigInt(`0x${new RegExp(`^${name}:\\s+([0-9a-f]+)`, "m").exec(status)?.[1] ?? "0"}`);

const readMap = (path: string): readonly IdRange[] => {
  if (!existsSync(path)) return [{ first: 0, last: 2 ** 32 - 2 }]; // a kernel without user namespaces
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([first, , count]) =>
      first === undefined || count === undefined ? [] : [{ first, last: first + count - 1 }],
    );
};

/** Ids that are in both; the same id is used as uid and as gid. */
const inBoth = (one: readonly IdRange[], other: readonly IdRange[]): readonly IdRange[] =>
  one.flatMap((a) =>
    other
      .map((b) => ({ first: Math.max(a.first, b.first), last: Math.min(a.last, b.last) }))
      .filter(({ first, last }) => first <= last),
  );

const canRunForOthers = 0o001;
const canReadForOthers = 0o004;

/** The way to a file doesn't count: a UI process gets the files, not their names. */
const findClosed = (program: string, bundle: string): readonly string[] => [
  ...((statSync(program).mode & canRunForOthers) === 0 ? [`chmod a+rx ${program}`] : []),
  ...((statSync(bundle).mode & canReadForOthers) === 0 ? [`chmod a+r ${bundle}`] : []),
];

const findIdle = (
  { first, last }: IdRange,
  mapped: readonly IdRange[],
  taken: readonly TakenIds[],
): readonly number[] => {
  const atWork = accountsAtWork();
  return Array.from({ length: last - first + 1 }, (_, index) => first + index).filter(
    (id) => isWithin(id, mapped) && !isWithin(id, taken) && !atWork.has(id),
  );
};

export interface MachineQuestion {
  /** Node's executable file. */
  readonly program: string;
  /** The UI's program. */
  readonly bundle: string;
  /** Of accounts for UI processes. */
  readonly range: IdRange;
  readonly unanswered: (problem: string) => void;
}

/** @throws Error of the system when a file of the program is missing */
export const lookAtMachine = async ({ program, bundle, range, unanswered }: MachineQuestion): Promise<Machine> => {
  const uid = process.getuid?.();
  const status = "/proc/self/status";
  if (!existsSync(status) || process.platform !== "linux") {
    const unknown = {
      setpriv: undefined,
      prlimit: undefined,
      mapped: [],
      taken: [],
      startsAlone: true,
      closedFiles: [],
    };
    return { uid, rights: undefined, ...unknown };
  }
  const own = readFileSync(status, "utf8");
  const [setpriv, prlimit] = [findProgram("setpriv"), findProgram("prlimit")];
  const mapped = inBoth(readMap("/proc/self/uid_map"), readMap("/proc/self/gid_map"));
  const taken = await findTakenIds(range, unanswered);
  const tools =
    setpriv === undefined || prlimit === undefined ? undefined : { setpriv, prlimit, emptiesBounding: false };
  return {
    uid,
    rights: { effective: readSet(own, "CapEff"), bounding: readSet(own, "CapBnd") },
    setpriv,
    prlimit,
    mapped,
    taken,
    startsAlone: tools === undefined || (await startsAlone(tools, findIdle(range, mapped, taken))),
    closedFiles: findClosed(program, bundle),
  };
};
