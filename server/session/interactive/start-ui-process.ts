import { spawn, type ChildProcess } from "node:child_process";
import { dirname } from "node:path";
import { EndpointError } from "../../errors.ts";

export interface UiProcessOptions {
  /** The UI's program, alone in its folder: the process may read nothing else. */
  readonly bundle: string;
  readonly heartbeatMs: number;
  /** A heartbeat unanswered for so long, and the process is killed. */
  readonly silenceMs: number;
  readonly startMs: number;
  /** Heap; V8 ends the process above it. */
  readonly heapMb: number;
  /** Resident memory, buffers outside the heap included; the server ends the process above it. */
  readonly residentMb: number;
  /** Descriptor opened on the null device, laid over each inheritable one of this process. */
  readonly covered: readonly number[];
  readonly nullDescriptor: number;
}

const nobody = 65_534;

/**
 * Node's own walls around the UI's program, and modules and defaults of Node taken away. Not `--frozen-intrinsics`: Ink bears it,
 * but a start takes a tenth longer, and it takes no power away.
 *
 * @param folder what the process may read
 */
export const uiFlags = (folder: string): readonly string[] => [
  "--permission",
  `--allow-fs-read=${folder}`,
  "--disable-sigusr1",
  "--disallow-code-generation-from-strings",
  "--no-addons",
  "--no-global-search-paths",
  // Outside of the permission model: SQLite opens files itself.
  "--no-experimental-sqlite",
  "--no-experimental-ffi",
  "--no-experimental-websocket",
  "--no-experimental-webstorage",
  "--no-experimental-global-navigator",
];

/**
 * Limits of the kernel: no file is written, the one byte of core is "no dump" (server/bundle/close-doors.ts), and descriptors are few. A
 * shell counts core in blocks, and inherits what the server has; the limits hold for whatever code becomes of the process.
 */
const withLimits = `unset PWD OLDPWD SHLVL _
if command -v prlimit >/dev/null; then exec prlimit --fsize=0:0 --core=1:1 --nofile=64:64 -- "$@"; fi
ulimit -f 0 && ulimit -c 0 && ulimit -n 64 && exec "$@"`;

const commandLine = (options: UiProcessOptions): string[] => [
  ...uiFlags(dirname(options.bundle)),
  `--max-old-space-size=${options.heapMb}`,
  options.bundle,
  // The process drops itself as its first statement, before it reads any input: so the bundle may lie where nobody
  // can't traverse (spawn's `uid` would need a bundle that nobody can read).
  ...(process.getuid?.() === 0 ? [`--uid=${nobody}`, `--gid=${nobody}`] : []),
];

/** Own, short environment: CI makes Ink non-interactive, chalk fixes its colour level at import. */
const environment = {
  PATH: "/usr/bin:/bin",
  TERM: "xterm-256color",
  FORCE_COLOR: "2",
  LANG: "C.UTF-8",
  NODE_ENV: "production",
};

export const screenUnavailable = (cause: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", "The server can't start a screen now. Try again later.", { cause });

/** @throws EndpointError ResourceUnavailable when the system gives no process */
export const startUiProcess = (options: UiProcessOptions): ChildProcess => {
  const covers = Array.from({ length: Math.max(0, ...options.covered) - 2 }, (_, index) =>
    options.covered.includes(index + 3) ? options.nullDescriptor : ("ignore" as const),
  );
  try {
    return spawn("/bin/sh", ["-c", withLimits, "pep", process.execPath, ...commandLine(options)], {
      stdio: ["pipe", "pipe", "pipe", ...covers],
      cwd: "/",
      // A process group of its own: Ctrl-C at the server's terminal is for the server, which then ends its UI processes.
      detached: true,
      env: environment,
    });
  } catch (error) {
    throw screenUnavailable(error);
  }
};
