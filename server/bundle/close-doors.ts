const withoutDebugger = "--disable-sigusr1";

/**
 * One byte, not none: a `core_pattern` that is a pipe ignores a limit of 0, and takes a limit of 1 for "no dump"
 * (Linux, fs/coredump.c, `coredump_pipe`). A shell counts in blocks, so `ulimit` can say 0 only.
 */
const startWithoutDumps = `if command -v prlimit >/dev/null; then exec prlimit --core=1:1 -- "$@"; fi
ulimit -c 0 && exec "$@"`;

const mayDump = (limits: () => string): boolean => {
  try {
    const soft = /^Max core file size +(\S+)/m.exec(limits())?.[1];
    return soft !== "0" && soft !== "1";
  } catch {
    return false; // no /proc: what was asked of the shell can't be looked at
  }
};

/**
 * Starts this process's program again, in the same process, when it was not started as `dist/bin/pep` does: SIGUSR1 would open
 * Node's debugger to every account of the machine, and a crash would write the memory, keys included, to disk.
 */
export const closeDoors = (parts: {
  readonly runtime: Pick<NodeJS.Process, "execve" | "execArgv" | "execPath" | "argv" | "env">;
  /** The text of /proc/self/limits. */
  readonly limits: () => string;
}): void => {
  const { execve, execArgv, execPath, argv, env } = parts.runtime;
  const debuggable = !execArgv.includes(withoutDebugger);
  if (execve === undefined || (!debuggable && !mayDump(parts.limits))) return;
  const flags = debuggable ? [withoutDebugger, ...execArgv] : execArgv;
  execve("/bin/sh", ["sh", "-c", startWithoutDumps, "pep", execPath, ...flags, ...argv.slice(1)], env);
};
