import { readdirSync, readFileSync } from "node:fs";
import { devNull } from "node:os";
import { codeOf } from "../../errors.ts";

const closeOnExec = 0o2_000_000; // O_CLOEXEC, from Linux's asm-generic/fcntl.h; the same on x64 and arm64

/**
 * Descriptors above 2 that a child would inherit. What Node opens is close-on-exec; what this process got from its own
 * parent (a shell's `exec 19<file`, a supervisor's socket) may not be: Node marks only the low, gapless ones at its
 * start (libuv's uv_disable_stdio_inheritance stops at the first gap past 15).
 * Empty where /proc does not exist: there Node's own marking has to do.
 */
export const findInheritableDescriptors = (): readonly number[] => {
  let names: readonly string[];
  try {
    names = readdirSync("/proc/self/fdinfo");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
  return names.map(Number).filter((descriptor) => {
    if (descriptor <= 2) return false;
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"))?.[1];
      return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
    } catch {
      return false; // closed since it was listed: the descriptor of the listing itself, for one
    }
  });
};

export const nullDevice = devNull;
