import type { Stats } from "node:fs";
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from "node:path";
import { whyFolderUntrusted, whyLinkUntrusted, type FileRule } from "./judge.ts";

/** What is at a path, itself: `lstat`, and `readlink` where it is a link. */
export interface Look {
  readonly stats: Stats;
  readonly target: string | undefined;
}

/** Where a path ends, every link followed. */
export interface Way {
  readonly path: string;
  readonly stats: Stats;
  /** The folder that holds it. */
  readonly holder: Stats | undefined;
}

/** As the kernel's own limit (path_resolution(7)). */
const mostLinks = 40;

const namesIn = (path: string): string[] => path.split(sep).filter((name) => name !== "" && name !== ".");

/**
 * Goes to a file as the kernel does, name by name, and judges the way. It yields each path that must be looked at and takes what is
 * there, so that the same walk serves callers that wait and callers that can't.
 *
 * A way without a link is judged by its end alone: a group's folder above a data directory (umask 002 makes them) was never refused.
 * Where a link was followed, every link and every folder on the way must belong to root or to us, and nobody else may write there.
 * A sticky folder counts as such: in it nobody else can move or exchange what is root's or ours. OpenSSH (auth_secure_path) refuses
 * those too; but a mounted secret of Kubernetes is a sticky folder of root's with links in it.
 *
 * @throws Error whose message begins with "it" or "the …"
 */
export function* walk(given: string, rule: FileRule): Generator<string, Way, Look> {
  const { root } = parse(resolve(given));
  const folders = new Map<string, Stats>();
  let links = 0;
  let at = root;
  let ahead = namesIn(resolve(given).slice(root.length));
  folders.set(root, (yield root).stats);
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (name === "..") {
      at = dirname(at);
      continue;
    }
    const path = join(at, name);
    const holder = folders.get(at);
    const { stats, target } = yield path;
    if (target !== undefined) {
      const why = whyLinkUntrusted({ path, stats, holder, isLast: ahead.length === 0 }, rule);
      if (why !== undefined) throw new Error(why);
      links += 1;
      if (links > mostLinks) throw new Error("it leads from link to link, without an end");
      if (isAbsolute(target)) at = root;
      ahead = [...namesIn(target), ...ahead];
    } else if (ahead.length === 0) {
      refuseFolders(links, folders);
      return { path, stats, holder };
    } else {
      folders.set(path, stats);
      at = path;
    }
  }
  throw new Error("it is a folder, not a regular file");
}

const refuseFolders = (links: number, folders: ReadonlyMap<string, Stats>): void => {
  if (links === 0) return;
  for (const [path, stats] of folders) {
    const why = whyFolderUntrusted(path, stats);
    if (why !== undefined) throw new Error(`the folder ${path} on the way to it is not trusted: ${why}`);
  }
};

/** Whether a path is this directory, or names something in it. */
export const liesIn = (directory: string, path: string): boolean => {
  const way = relative(directory, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
};
