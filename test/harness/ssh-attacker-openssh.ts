import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { TestServer } from "./ssh-attacker-server.ts";

/** Whether OpenSSH's client is here. Tests that need it say so when they skip. */
export const hasOpenSsh = spawnSync("ssh", ["-V"]).status === 0;

const keygenProgram = "ssh-keygen";

/** Makes a key with ssh-keygen and returns its path; the public half is in `<path>.pub`. */
export const keygen = (directory: string, type: "ed25519" | "rsa" | "ecdsa", bits?: number): string => {
  const path = join(directory, `id-${type}${bits ?? ""}`);
  const size = bits === undefined ? [] : ["-b", String(bits)];
  const made = spawnSync(keygenProgram, ["-q", "-t", type, ...size, "-N", "", "-C", "test", "-f", path]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  return path;
};

export const publicLine = (path: string): string => readFileSync(`${path}.pub`, "utf8").trim();

/** The test server's own key as a file that ssh takes. */
export const keyFile = (it: TestServer): string => {
  const path = join(it.directory, "support-key");
  writeFileSync(path, it.key.privateKey, { mode: 0o600 });
  return path;
};

export interface SshRun {
  readonly child: ChildProcess;
  readonly ended: Promise<{
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
    readonly stdoutBytes: number;
    readonly stdoutSha256: string;
  }>;
}

/** Runs the real client against a test server. `args` come before the destination, `command` after it. */
export const startSsh = (
  it: TestServer,
  options: {
    readonly key?: string;
    readonly user?: string;
    readonly args?: readonly string[];
    readonly command?: readonly string[];
    readonly input?: string | Buffer;
    readonly program?: "ssh" | "sftp" | "scp";
  } = {},
): SshRun => {
  const program = options.program ?? "ssh";
  const shared = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"];
  const child = spawn(
    program,
    [
      "-F",
      "/dev/null",
      "-i",
      options.key ?? keyFile(it),
      ...(options.args ?? []), // first: the first value of an option wins
      ...[...shared, "LogLevel=ERROR", `Port=${it.port}`].flatMap((option) => ["-o", option]),
      ...(program === "scp" ? [] : [`${options.user ?? "support"}@127.0.0.1`]),
      ...(options.command ?? []),
    ],
    { stdio: ["pipe", "pipe", "pipe"], env: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8", TERM: "xterm-256color" } },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const hash = createHash("sha256");
  let stdout = "";
  let stdoutBytes = 0;
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    stdoutBytes += chunk.length;
    if (stdout.length < 65_536) stdout += chunk.toString("utf8");
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  child.stdin.on("error", () => undefined); // the client may end before it has read all of its input
  if (options.input !== undefined) child.stdin.end(options.input);
  const ended = new Promise<Awaited<SshRun["ended"]>>((resolve) => {
    child.on("close", (status) => {
      resolve({ status, stdout, stderr, stdoutBytes, stdoutSha256: hash.digest("hex") });
    });
  });
  return { child, ended };
};

export const runSsh = (...args: Parameters<typeof startSsh>): SshRun["ended"] =>
  startSsh(args[0], { input: "", ...args[1] }).ended;
