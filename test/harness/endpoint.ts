import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

export const root = join(import.meta.dirname, "..", "..");
/** What an administrator starts; it becomes the server, in the same process. */
const launcher = join(root, "dist", "bin", "pep");
/** A copy without node_modules finds its runtime on PATH, and must find this one. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` };

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Its output is text; use `stdoutBytes` where bytes count. */
export const run = async (
  program: string,
  args: readonly string[],
  options: { readonly input?: string | Uint8Array; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished & { readonly stdoutBytes: Buffer }> => {
  const child = spawn(program, [...args], { cwd: options.cwd, env: options.env, stdio: ["pipe", "pipe", "pipe"] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  child.stdin.on("error", () => undefined); // a program may end before it has read everything
  child.stdin.end(options.input ?? "");
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const stdoutBytes = Buffer.concat(stdout);
  return { status, stdout: stdoutBytes.toString("utf8"), stderr: Buffer.concat(stderr).toString("utf8"), stdoutBytes };
};

/** Runs the built `pep` as an administrator would. */
export const pep = (args: readonly string[], input?: string): ReturnType<typeof run> =>
  run(launcher, args, input === undefined ? { env } : { input, env });

export type DemoUser = "support" | "exporter" | "requester" | "certadmin" | "approver" | "auditor" | "guest";

export interface Endpoint {
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  readonly fingerprint: string;
  readonly pid: number;
  /** Everything the server wrote to standard error so far. */
  readonly stderr: () => string;
  sshArguments(user: DemoUser, options?: readonly string[]): string[];
  ssh(user: DemoUser, commandLine: string, options?: SshOptions): ReturnType<typeof run>;
  /** An interactive session in a terminal of its own. */
  terminal(
    user: DemoUser,
    size: { readonly columns: number; readonly rows: number },
    env?: Record<string, string>,
  ): Terminal;
  events(): AuditEvent[];
  signal(signal: NodeJS.Signals): void;
  /** Kills it and waits until it is gone. */
  readonly end: () => Promise<void>;
  /** Resolves with the exit status. */
  readonly exited: Promise<number | null>;
}

interface SshOptions {
  readonly input?: string | Uint8Array;
  readonly options?: readonly string[];
}

export interface StartOptions {
  readonly dataDirectory?: string;
  /** A program in front of the server, for example a fault injector. */
  readonly wrapper?: readonly string[];
  readonly arguments?: readonly string[];
  /** `dist/bin/pep` of another copy of the built program. */
  readonly program?: string;
  /** The data directory is not a demo's: it has no keys and no ssh_config, so `sshArguments` is of no use. */
  readonly installed?: boolean;
}

const readyLine = /^listening on (\S+):(\d+) (SHA256:\S+)$/m;

const readEvents = (dataDirectory: string): AuditEvent[] =>
  readdirSync(join(dataDirectory, "audit", "log"))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .flatMap((name) => readFileSync(join(dataDirectory, "audit", "log", name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).event);

const waitUntilListening = (child: ChildProcess, output: () => { stdout: string; stderr: string }) =>
  new Promise<RegExpExecArray>((resolve, reject) => {
    const look = (): void => {
      const match = readyLine.exec(output().stdout);
      if (match !== null) resolve(match);
    };
    child.stdout?.on("data", look);
    child.once("exit", (status) => {
      reject(new Error(`the server ended with ${status} before it listened: ${output().stderr}`));
    });
  });

/** Starts the built server with a demo's data directory on a free port; it is ended when the test is over. */
export const startEndpoint = async (options: StartOptions = {}): Promise<Endpoint> => {
  const { dataDirectory = join(temporaryDirectory(), "pep") } = options;
  // What stands in front of the server, a clock for one, stands in front of the making of its demo too.
  if (options.wrapper === undefined && !existsSync(dataDirectory)) await makeDemo(dataDirectory);
  const endpoint = await launch({ ...options, dataDirectory });
  onTestFinished(endpoint.end);
  return endpoint;
};

/** Set by vitest's set-up (build.ts). Unset, each demo is made on its own. */
const template = process.env["PEP_TEST_DEMO"];

/**
 * A part of the accounts that are shipped for screens: a start asks the system about each, which for all of them is a sixth of its work.
 * Another part each time, so that servers that run at once seldom try the same account.
 */
const someAccounts = () => ({ first: 60_736 + 32 * randomInt(14), count: 32 });

/**
 * Makes a demo's data directory with these settings in its endpoint.json.
 * No UI process is started ahead: each takes as much of a processor as the server's own start, and most tests look at no screen.
 */
export const makeDemo = async (dataDirectory: string, settings: object = {}): Promise<void> => {
  if (template === undefined) {
    const { status, stderr } = await pep(["init", "--demo", "--data-dir", dataDirectory]);
    if (status !== 0) throw new Error(stderr);
  } else {
    // cp, because cpSync gives the copied directories modes of its own.
    execFileSync("cp", ["--archive", template, dataDirectory]);
  }
  const file = join(dataDirectory, "endpoint.json");
  // The only text that names the directory, before a first start.
  const shipped: object = JSON.parse(readFileSync(file, "utf8").replaceAll(template ?? dataDirectory, dataDirectory));
  const fewer = { spareUiProcesses: 0, userInterface: { accounts: someAccounts() } };
  writeFileSync(file, JSON.stringify({ ...shipped, ...fewer, ...settings }));
};

/** A demo with these settings in its endpoint.json. */
export const startEndpointWith = async (settings: object): Promise<Endpoint> => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  await makeDemo(dataDirectory, settings);
  return startEndpoint({ dataDirectory });
};

/** One for all tests of a file, which leave it as they found it; `beforeAll` returns its `end`. */
export const startSharedEndpoint = async (settings: object = {}): Promise<Endpoint> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-"));
  const dataDirectory = join(directory, "pep");
  await makeDemo(dataDirectory, settings);
  const endpoint = await launch({ dataDirectory });
  return {
    ...endpoint,
    end: async () => {
      await endpoint.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

/** Starts the built server; whoever calls this ends it. */
export const launch = async (options: StartOptions & { readonly dataDirectory: string }): Promise<Endpoint> => {
  const { dataDirectory } = options;
  const serve = ["serve", ...(options.installed === true ? [] : ["--demo"]), "--data-dir", dataDirectory];
  const [program = launcher, ...args] = [
    ...(options.wrapper ?? []),
    options.program ?? launcher,
    ...serve,
    "--listen",
    "127.0.0.1:0",
    ...(options.arguments ?? []),
  ];
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  const [, host = "", port = "", fingerprint = ""] = await waitUntilListening(child, () => ({ stdout, stderr })).catch(
    async (error: unknown) => {
      await end();
      throw error;
    },
  );
  const sshArguments: Endpoint["sshArguments"] = (user, more = []) => [
    "-F",
    join(dataDirectory, "demo", "ssh_config"),
    ...more,
    `${user}@pep`,
  ];
  return {
    dataDirectory,
    host,
    port: Number(port),
    fingerprint,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    sshArguments,
    ssh: (user, commandLine, { input, options: more } = {}) =>
      // LogLevel: the legal notice goes to the client's standard error, as any SSH banner does; scripts ask for errors only.
      run(
        "ssh",
        [...sshArguments(user, ["-o", "LogLevel=ERROR", ...(more ?? [])]), commandLine],
        input === undefined ? {} : { input },
      ),
    terminal: (user, size, env) => openTerminal("ssh", sshArguments(user), size, env),
    events: () => readEvents(dataDirectory),
    signal: (signal) => void child.kill(signal),
    exited,
    end,
  };
};
