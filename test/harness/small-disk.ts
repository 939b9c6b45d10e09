import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  readonly path: string;
  readonly free: () => number;
  /** Somebody else's file, until so much is left; nothing is left where it is 0. */
  fill(leaveBytes: number): void;
  empty(): void;
  remount(mode: "ro" | "rw"): void;
}

const mount = (...args: readonly string[]): boolean => spawnSync("mount", [...args]).status === 0;

/** Why there can be no small disk here, or undefined. */
export const whyNoSmallDisk = (): string | undefined => {
  if (process.platform !== "linux") return "tmpfs is Linux's";
  if (process.getuid?.() !== 0) return "mounting needs root";
  const probe = mkdtempSync(join(tmpdir(), "pep-"));
  const mounted = mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", probe);
  if (mounted) spawnSync("umount", [probe]);
  rmdirSync(probe);
  return mounted ? undefined : "mounting is not allowed here";
};

export const mountSmallDisk = (mebibytes: number): SmallDisk => {
  const path = temporaryDirectory();
  if (!mount("-t", "tmpfs", "-o", `size=${mebibytes}m,mode=700`, "tmpfs", path)) throw new Error("mount failed");
  // Lazily: a server that is still ending holds files on it.
  onTestFinished(() => void spawnSync("umount", ["-l", path]));
  const filler = join(path, "filler");
  const free = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    free,
    fill(leaveBytes) {
      const fd = openSync(filler, "a");
      const block = Buffer.alloc(1024 * 1024);
      try {
        for (let left = free() - leaveBytes; left > 0; left = free() - leaveBytes) {
          writeSync(fd, block, 0, Math.min(left, block.length));
        }
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      } finally {
        closeSync(fd);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    remount(mode) {
      if (!mount("-o", `remount,${mode}`, path)) throw new Error(`remount,${mode} failed`);
    },
  };
};
