/*
 * ATTACK  Another account's process, or an administrator's slip, sends a signal to the server, a UI process or a command of
 *         `pep`: SIGUSR1 opens Node's debugger on 127.0.0.1:9229; SIGQUIT and SIGABRT write the memory to a core file.
 * DANGER  Whoever may open a socket on this machine reads the master key out of the server. A dump holds it at rest.
 * EXPECT  No process listens after any signal, none may write a dump. SIGTERM drains, SIGHUP reloads, a signal that nobody
 *         asked for ends the process at most.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { examineDumps } from "../../server/cli/doctor.ts";
import { launch, pep, root, startEndpointWith } from "../harness/endpoint.ts";
import { shareOf } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** The status of a process that runs, read at once: whoever asks twice may meet its end in between. */
const statusOf = (pid: number): string | undefined => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return /^State:\s+[ZX]/m.test(status) ? undefined : status;
  } catch {
    return undefined;
  }
};

/** Inodes of the sockets that listen on this machine, by /proc/net/tcp and tcp6 (state 0A). */
const listeningInodes = (): Set<string> =>
  new Set(
    ["tcp", "tcp6"].flatMap((table) => {
      const file = `/proc/net/${table}`;
      if (!existsSync(file)) return [];
      const lines = readFileSync(file, "utf8").split("\n").slice(1);
      return lines.map((line) => line.trim().split(/\s+/)).flatMap((f) => (f[3] === "0A" ? (f[9] ?? []) : []));
    }),
  );

/** An ended process has no descriptors, so it listens nowhere. */
const descriptorsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
};

const listeners = (pid: number): number => {
  const inodes = listeningInodes();
  return descriptorsOf(pid).filter((descriptor) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  }).length;
};

const coreLimit = (pid: number): number =>
  Number(/^Max core file size +\S+ +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1]);

const children = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

const linux = existsSync("/proc/self/limits");
const { SIGUSR1, SIGQUIT, SIGABRT, SIGTERM, SIGHUP } = constants.signals;
/** SIGKILL and SIGSTOP reach no program; the others are all sent, real-time signals too. */
const signals = [...new Set(Object.values(constants.signals))].filter((signal) => signal !== 9 && signal !== 19);
const sent = [...new Set([SIGUSR1, SIGQUIT, SIGABRT, SIGTERM, SIGHUP, ...shareOf(signals, 6)])];

/** Ended, or as many listening sockets as before: looked at until one of both is certain. */
const settles = async (pid: number, signal: number, before: number): Promise<void> => {
  process.kill(pid, signal);
  // Ended, taken, or blocked for good: what --disable-sigusr1 leaves of SIGUSR1.
  await expect
    .poll(() => {
      const status = statusOf(pid);
      if (status === undefined) return "ended";
      const mask = (name: string): bigint => BigInt(`0x${new RegExp(`^${name}:\\s+(\\w+)`, "m").exec(status)?.[1]}`);
      return (mask("ShdPnd") & ~mask("SigBlk")) === 0n ? "taken" : "pending";
    })
    .not.toBe("pending");
  expect(listeners(pid)).toBeLessThanOrEqual(before);
};

describe.runIf(linux)("whatever signal comes", () => {
  test.each(sent)("signal %i opens no debugger and dumps nothing of server and UI process", async (signal) => {
    const endpoint = await startEndpointWith({ spareUiProcesses: 1 });
    await expect.poll(() => children(endpoint.pid).length).toBeGreaterThan(0);
    const [ui = 0] = children(endpoint.pid);
    for (const pid of [ui, endpoint.pid]) {
      expect(coreLimit(pid)).toBeLessThanOrEqual(1);
      await settles(pid, signal, listeners(pid));
    }
    const stillServes = [
      constants.signals.SIGHUP,
      constants.signals.SIGPIPE,
      constants.signals.SIGCHLD,
      constants.signals.SIGCONT,
      constants.signals.SIGWINCH,
      constants.signals.SIGURG,
    ].includes(signal);
    if (stillServes) expect((await endpoint.ssh("support", "Get-Command")).status).toBe(0);
    if (signal === constants.signals.SIGTERM) expect(await endpoint.exited).toBe(0);
    expect(endpoint.stderr()).not.toMatch(/debugger/i);
    expect(readdirSync(endpoint.dataDirectory).filter((name) => /core|\.dmp$/.test(name))).toEqual([]);
  });

  test("doctor tells where dumps go", async () => {
    const { end, dataDirectory } = await launch({ dataDirectory: join(temporaryDirectory(), "pep") });
    await end();
    expect((await pep(["doctor", "--data-dir", dataDirectory])).stdout).toMatch(/^(?:ok {2}|note) {2}dumps: /m);
    const limit = (bytes: string): string =>
      `Limit  Soft  Hard\nMax core file size        ${bytes}   ${bytes}   bytes\n`;
    const pipe = "|/usr/lib/systemd/systemd-coredump %P\n";
    expect(examineDumps("core\n", limit("0"))).toMatchObject({ passed: true });
    expect(examineDumps("core\n", limit("unlimited"))).toMatchObject({ passed: false });
    expect(examineDumps(pipe, limit("1"))).toMatchObject({
      passed: true,
      finding: expect.stringContaining(pipe.trim()),
    });
    expect(examineDumps(pipe, limit("0"))).toMatchObject({
      passed: false,
      finding: expect.stringContaining(pipe.trim()),
    });
    expect(examineDumps("@/run/dumps\n", limit("1"))).toMatchObject({ passed: false });
  });

  test("a local command has no debugger either, however it was started", async () => {
    const directory = join(temporaryDirectory(), "pep");
    const { end } = await launch({ dataDirectory: directory });
    await end();
    for (const start of [
      [join(root, "dist", "bin", "pep")],
      [process.execPath, join(root, "dist", "server", "main.js")],
    ]) {
      const [program = "", ...before] = start;
      // Waits for a code on its standard input.
      const child = spawn(program, [...before, "users", "enrol", "support", "--no-qr", "--data-dir", directory]);
      onTestFinished(() => void child.kill("SIGKILL"));
      let said = "";
      child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
      child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
      await expect.poll(() => said).toMatch(/otpauth/);
      const pid = child.pid ?? 0;
      expect(coreLimit(pid)).toBeLessThanOrEqual(1);
      await settles(pid, constants.signals.SIGUSR1, 0);
      expect(said).not.toMatch(/debugger/i);
    }
  });
});
