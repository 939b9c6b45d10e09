import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Ids from `first` to `last`, both included. */
export interface IdRange {
  readonly first: number;
  readonly last: number;
}

export const isWithin = (id: number, ranges: readonly IdRange[]): boolean =>
  ranges.some(({ first, last }) => id >= first && id <= last);

/** Ids that somebody has, and whose they are, in words. */
export interface TakenIds extends IdRange {
  readonly by: string;
}

const lookUpMs = 3_000;

const linesOf = (path: string): readonly string[] =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

/** passwd(5), group(5): NAME:x:ID:… */
const fromAccounts = (lines: readonly string[], kind: string): readonly TakenIds[] =>
  lines.flatMap((line) => {
    const [name = "", , id = ""] = line.split(":");
    return /^\d+$/.test(id) ? [{ first: Number(id), last: Number(id), by: `${kind} ${name}` }] : [];
  });

/** subuid(5): NAME:FIRST:COUNT */
const fromSubordinates = (path: string): readonly TakenIds[] =>
  linesOf(path).flatMap((line) => {
    const [name = "", first = "", count = ""] = line.split(":");
    if (!/^\d+$/.test(first) || !/^\d+$/.test(count) || Number(count) === 0) return [];
    return [{ first: Number(first), last: Number(first) + Number(count) - 1, by: `${path} (${name})` }];
  });

/** Who has these ids by every source of this machine, a directory too (nsswitch.conf(5)). Status 2: some have nobody. */
const getent = (database: "passwd" | "group", ids: readonly number[]): Promise<readonly TakenIds[]> =>
  new Promise((resolve, reject) => {
    execFile("getent", [database, ...ids.map(String)], { timeout: lookUpMs, cwd: "/" }, (error, stdout) => {
      if (error !== null && error.code !== 2) reject(error);
      else resolve(fromAccounts(stdout.split("\n"), database === "passwd" ? "user" : "group"));
    });
  });

/**
 * What of this range of uids and gids somebody has. A directory that doesn't answer within three seconds is done without: on the day when
 * it is down, recovery keys are wanted.
 *
 * @param unanswered told what was done without
 */
export const findTakenIds = async (
  { first, last }: IdRange,
  unanswered: (problem: string) => void,
): Promise<readonly TakenIds[]> => {
  const found = [
    ...fromAccounts(linesOf("/etc/passwd"), "user"),
    ...fromAccounts(linesOf("/etc/group"), "group"),
    ...fromSubordinates("/etc/subuid"),
    ...fromSubordinates("/etc/subgid"),
  ];
  const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const asked = (["passwd", "group"] as const).map((database) =>
    getent(database, ids).catch((error: unknown) => {
      unanswered(
        `getent ${database} could not tell whether somebody has the accounts ${first} to ${last}: ${String(error)}`,
      );
      return [];
    }),
  );
  found.push(...(await Promise.all(asked)).flat());
  return found.filter((taken) => taken.first <= last && taken.last >= first);
};
