import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { EndpointError } from "../../errors.ts";
import { aloneInAccount } from "./accounts/in-account.ts";
import type { UiIsolation } from "./isolation.ts";

type Isolation = Exclude<UiIsolation, { readonly kind: "no-screens" }>;

export interface UiProcessOptions {
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

/** What UI processes are started with. */
export interface UiProgram {
  /** @param account the process's own; `undefined` where all have one */
  command(heapMb: number, account: number | undefined): readonly [string, ...string[]];
  /** Descriptors that the process gets, from 3 on. */
  readonly descriptors: readonly number[];
  close(): void;
}

const nobody = 65_534;
const ownExecutable = 3;
const ownBundle = 4;
const descriptorPath = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

/**
 * Node's own walls around the UI's program, and modules and defaults of Node taken away. Not `--frozen-intrinsics`: Ink bears it,
 * but a start takes a tenth longer, and it takes no power away.
 *
 * @param readable what the process may read
 */
export const uiFlags = (readable: string): readonly string[] => [
  "--permission",
  `--allow-fs-read=${readable}`,
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

/** No file is written; the one byte of core is "no dump" (server/bundle/close-doors.ts); few descriptors, no POSIX queue. All for good. */
const limits = ["--fsize=0:0", "--core=1:1", "--nofile=64:64", "--msgqueue=0:0"];

/** A shell counts core in blocks, and inherits what the server has; it is asked only where all processes have one account. */
const withLimits = `unset PWD OLDPWD SHLVL _
if command -v prlimit >/dev/null; then exec prlimit ${limits.join(" ")} -- "$@"; fi
ulimit -f 0 && ulimit -c 0 && ulimit -n 64 && exec "$@"`;

/**
 * Opens what UI processes with accounts of their own run: they get it as descriptors, so that it may lie where their accounts can't go (a clone
 * in root's home directory), and an upgrade takes nothing from under a server. Where all have one account, files are read by name.
 */
export const openUiProgram = (bundle: string, isolation: Isolation): UiProgram => {
  if (isolation.kind === "shared-account") {
    // The process drops itself as its first statement, before it reads any input.
    const drop = isolation.account === "nobody" ? [`--uid=${nobody}`, `--gid=${nobody}`] : [];
    const flags = uiFlags(dirname(bundle));
    return {
      command: (heapMb) => [
        "/bin/sh",
        "-c",
        withLimits,
        "pep",
        process.execPath,
        ...flags,
        `--max-old-space-size=${heapMb}`,
        bundle,
        ...drop,
      ],
      descriptors: [],
      close: () => undefined,
    };
  }
  const descriptors = [openSync(process.execPath, "r"), openSync(bundle, "r")];
  return {
    command: (heapMb, account) => {
      if (account === undefined) throw new RangeError("a UI process without an account");
      return [
        ...aloneInAccount(isolation, account, limits),
        descriptorPath(ownExecutable),
        ...uiFlags(descriptorPath(ownBundle)),
        // By its real name it could not be read.
        "--preserve-symlinks-main",
        `--max-old-space-size=${heapMb}`,
        descriptorPath(ownBundle),
      ];
    },
    descriptors,
    close: () => descriptors.forEach((descriptor) => closeSync(descriptor)),
  };
};

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
export const startUiProcess = (
  options: UiProcessOptions,
  program: UiProgram,
  account: number | undefined,
): ChildProcess => {
  const first = 3 + program.descriptors.length;
  const covers = Array.from({ length: Math.max(0, Math.max(0, ...options.covered) - first + 1) }, (_, index) =>
    options.covered.includes(index + first) ? options.nullDescriptor : ("ignore" as const),
  );
  const [command, ...args] = program.command(options.heapMb, account);
  try {
    return spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe", ...program.descriptors, ...covers],
      cwd: "/",
      // A process group of its own: Ctrl-C at the server's terminal is for the server, which then ends its UI processes.
      detached: true,
      env: environment,
    });
  } catch (error) {
    throw screenUnavailable(error);
  }
};
