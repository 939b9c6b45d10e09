/*
 * ATTACK  Code that got past every wall of JavaScript in one user's UI process signals, traces or slows down another user's; looks for
 *         rights that its account still has; leaves a process of its own behind, for the next user who gets its account. Or two servers
 *         give the same account at the same moment.
 * DANGER  One user ends or watches the sessions of the others.
 * EXPECT  Each UI process has an account that nothing else on the machine has, without a right, a capability or a way to get one.
 *         Whatever its account still runs ends with it, and no process starts in an account that anything runs in.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import type { OwnAccounts } from "../../server/session/interactive/accounts/in-account.ts";
import type { UiIsolation } from "../../server/session/interactive/isolation.ts";
import { openUiProgram, startUiProcess } from "../../server/session/interactive/start-ui-process.ts";
import { UiProcess } from "../../server/session/interactive/ui-process.ts";
import type { UiProcessEnd, UiScreenListener } from "../../server/session/interactive/ui-screen-queue.ts";
import { pep, startEndpoint, startEndpointWith } from "../harness/endpoint.ts";
import { childrenOf, isRunning, statusOf, uidOf } from "../harness/processes.ts";
import { isolation, processOptions } from "../harness/ui-isolation.ts";
import { rounds } from "../harness/share.ts";
import { fixture, poolFor, type Shell, startShell } from "../session/interactive/shell.ts";

/** A program in the account of a process, as code that broke out of it would be. */
const inAccountOf = (pid: number, ...command: readonly string[]): readonly string[] => {
  const id = String(uidOf(pid));
  return ["setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--no-new-privs", "--", ...command];
};

/** Left behind: its parent has ended. @returns its id */
const leaveBehind = (uid: number): number => {
  const id = String(uid);
  const command = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
  const left = spawnSync("setpriv", ["--reuid", id, "--regid", id, "--clear-groups", "--", "sh", "-c", command]);
  const pid = Number(left.stdout.toString());
  expect(uidOf(pid)).toBe(uid);
  onTestFinished(() => {
    if (isRunning(pid)) process.kill(pid, "SIGKILL");
  });
  return pid;
};

/** Whether anything runs there, by the kernel's own count: what forks and ends again and again is in no list of processes. */
const isOccupied = (uid: number): boolean => {
  const id = String(uid);
  const alone = ["--nproc=0:8", "setpriv", "--reuid", id, "--regid", id, "--clear-groups", "prlimit", "true"];
  return spawnSync("prlimit", alone).status === 126;
};

/** Kinds of System V objects that an account owns (sysvipc(7)). */
const sharedBy = (uid: number): string[] =>
  ["msg", "sem", "shm"].filter((kind) => {
    const [header = "", ...objects] = readFileSync(`/proc/sysvipc/${kind}`, "utf8").trim().split("\n");
    const at = header.trim().split(/\s+/).indexOf("uid");
    return objects.some((object) => object.trim().split(/\s+/)[at] === String(uid));
  });

const nobodyListens: UiScreenListener = {
  terminal: async () => undefined,
  message: () => undefined,
  stopRead: () => undefined,
  gone: () => undefined,
};

/** Mulberry32: the same numbers each time, from 0 to 1. */
const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};

// Accounts from 65,600 on are out of the usual range, where other servers that start meanwhile end what was left behind.
const size = { columns: 100, rows: 24 };

describe.runIf(isolation.kind === "own-accounts")("a user's UI process", () => {
  test("can neither signal nor slow down another user's, nor trace it", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const [alice, bob] = [startShell({ pool }), startShell({ pool, connectedUser: "bob" })];
    await Promise.all([alice.sees("> "), bob.sees("> ")]);
    const [own, other] = [alice.ui.process(), bob.ui.process()];
    alice.type(`!reach ${own} ${other} ${process.pid}\r`);
    await alice.sees("reached\r\n");
    // It may do so with itself: the attempts are real ones.
    expect(alice.output()).toContain(`signal ${own} gave true`);
    expect(alice.output()).toContain(`renice ${own} gave`);
    for (const pid of [other, process.pid]) {
      expect(alice.output()).toContain(`signal ${pid} refused EPERM`);
      expect(alice.output()).toContain(`renice ${pid} refused`);
    }
    const [program = "", ...traced] = inAccountOf(own, "strace", "-e", "none", "-p", String(other));
    const tracing = spawnSync(program, traced, { timeout: 2_000 });
    expect(tracing.stderr.toString()).toMatch(/attach: .*Operation not permitted/);
  });

  test("has no capability, no group, and no way to any", async () => {
    const endpoint = await startEndpointWith({ spareUiProcesses: 2 });
    const terminal = endpoint.terminal("support", size);
    await terminal.waitFor("PS support@pep>");
    const [first = 0, second = 0, ...more] = childrenOf(endpoint.pid);
    for (const pid of [first, second, ...more]) {
      const status = statusOf(pid);
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        expect(status).toMatch(new RegExp(`^${set}:\\t0{16}$`, "m"));
      }
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Groups:\s*$/m);
      const [, uids = "", uid = ""] = /^Uid:\t((\d+)\t.*)$/m.exec(status) ?? [];
      expect(uids).toBe(`${uid}\t${uid}\t${uid}\t${uid}`);
      expect(status).toMatch(new RegExp(`^Gid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
      expect(Number(uid)).toBeGreaterThan(0);
    }
    expect(new Set(childrenOf(endpoint.pid).map(uidOf)).size).toBe(2 + more.length);
  });

  test("leaves no process behind", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const [alice, bob] = [startShell({ pool }), startShell({ pool, connectedUser: "bob" })];
    await Promise.all([alice.sees("> "), bob.sees("> ")]);
    const left = leaveBehind(uidOf(alice.ui.process()));
    const stays = leaveBehind(uidOf(bob.ui.process()));
    alice.type("\u0004");
    await alice.result;
    await expect.poll(() => isRunning(left)).toBe(false);
    expect(isRunning(stays)).toBe(true);
    expect(await bob.run("text")).toContain("second line");
  });

  test("leaves none that forks and ends, over and over, each child the parent of the next", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const alice = startShell({ pool });
    await alice.sees("> ");
    const id = uidOf(alice.ui.process());
    // Bounded, should this test fail.
    const hop =
      "for ($i = 0; $i < 1e6; $i++) { $pid = fork; exit if $pid; select undef, undef, undef, 0.01 unless defined $pid }";
    const [program = "", ...hopping] = inAccountOf(alice.ui.process(), "perl", "-e", hop);
    const hopper = spawn(program, hopping, { stdio: "ignore" });
    const [status] = await once(hopper, "exit");
    expect(status).toBe(0);
    // What goes on is the child of its child's child.
    expect(isOccupied(id)).toBe(true);
    alice.type("\u0004");
    await alice.result;
    await expect.poll(() => isOccupied(id)).toBe(false);
  });

  test("leaves neither shared memory nor a queue behind, which live on without a process", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const alice = startShell({ pool });
    await alice.sees("> ");
    const id = uidOf(alice.ui.process());
    const [program = "", ...making] = inAccountOf(alice.ui.process(), "ipcmk", "-M", "1000000", "-Q", "-S", "1");
    expect(spawnSync(program, making).status).toBe(0);
    expect(sharedBy(id)).toEqual(["msg", "sem", "shm"]);
    alice.type("\u0004");
    await alice.result;
    await expect.poll(() => sharedBy(id)).toEqual([]);
  });

  test("never has the account of another, however sessions come and go", async () => {
    const few = { ...isolation, ids: [65_600, 65_601, 65_602, 65_603, 65_604, 65_605, 65_606, 65_607] } as UiIsolation;
    const lost: UiProcessEnd[] = [];
    const pool = poolFor(fixture("plain-ui.mts"), lost, { isolation: few });
    const random = seeded(20_261_129);
    const open: Shell[] = [];
    const had = new Set<number>();
    for (let opened = 0; opened < rounds(12, 64);) {
      if (open.length < 6 && (open.length === 0 || random() < 0.6)) {
        opened += 1;
        const shell = startShell({ pool, connectedUser: `user${opened}` });
        await shell.sees("> ");
        open.push(shell);
      } else {
        const [shell] = open.splice(Math.floor(random() * open.length), 1);
        shell?.type("\u0004");
        await shell?.result;
      }
      const uids = open.map((shell) => uidOf(shell.ui.process()));
      expect(new Set(uids).size).toBe(uids.length);
      uids.forEach((uid) => had.add(uid));
    }
    expect(lost).toEqual([]);
    expect([...had].filter((uid) => uid < 65_600 || uid > 65_607)).toEqual([]);
    expect(had.size).toBeGreaterThan(rounds(3, 6));
  });

  test("does not start where anything runs, and ends nothing there that is not its own", async () => {
    const one = { ...isolation, ids: [65_610] } as UiIsolation;
    if (one.kind !== "own-accounts") throw new Error("not tried");
    const other = leaveBehind(65_610);
    const program = openUiProgram(fixture("plain-ui.mts"), one);
    onTestFinished(() => program.close());
    // Past the bookkeeping: as two servers do that look at the same moment.
    const child = startUiProcess(processOptions, program, 65_610);
    const [status] = await once(child, "exit");
    expect(status).toBe(126);
    const lost: UiProcessEnd[] = [];
    const pool = poolFor(fixture("plain-ui.mts"), lost, { isolation: one });
    const shell = startShell({ pool });
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 5, reason: "no screen" });
    expect(isRunning(other)).toBe(true);
  });

  test("does not go on where another got into its account at the same moment, and ends nothing of the other's", async () => {
    const account = 65_615;
    const program = openUiProgram(fixture("ready-when-asked.mts"), isolation as OwnAccounts);
    onTestFinished(() => program.close());
    const ended = Promise.withResolvers<UiProcessEnd>();
    const left = Promise.withResolvers<boolean>();
    const ui = new UiProcess(
      { ...processOptions, heartbeatMs: 1000, silenceMs: 60_000, startMs: 60_000 },
      { program, account },
      { onExit: ({ wasReady }) => left.resolve(wasReady), onEnd: ended.resolve },
    );
    onTestFinished(() => ui.kill({ cause: "closed", detail: "the test is over" }));
    const pid = ui.pid ?? 0;
    // The kernel found it alone. What it says is of the moment before the change, so two that change at once are both alone: 331 of 3,000 did.
    await expect.poll(() => readFileSync(`/proc/${pid}/cmdline`, "latin1")).toMatch(/^\/proc\/self\/fd\/3\0/);
    const other = leaveBehind(account);
    const screen = ui.openScreen(nobodyListens, () => undefined);
    void screen.type("x");
    await expect(ended.promise).resolves.toEqual({ cause: "not-started", detail: "another process has its account" });
    // Not ours to end, then.
    await expect(left.promise).resolves.toBe(false);
    expect(isRunning(other)).toBe(true);
  });

  test("is refused, in words and on the record, when every account is in use", async () => {
    const endpoint = await startEndpointWith({
      userInterface: { accounts: { first: 65_620, count: 2 } },
      spareUiProcesses: 0,
    });
    const [first, second] = [endpoint.terminal("support", size), endpoint.terminal("exporter", size)];
    await Promise.all([first.waitFor("PS support@pep>"), second.waitFor("PS exporter@pep>")]);
    for (const _ of [1, 2]) {
      const third = endpoint.terminal("guest", size);
      await third.waitFor("Every screen that this server can give is in use");
      expect(await third.exited).toBe(5);
    }
    expect((await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
    expect(endpoint.events().filter(({ type }) => type === "budget-struck")).toEqual([
      { type: "budget-struck", connectedUser: "guest", budget: "userInterface.accounts", most: 2 },
    ]);
    first.type("exit\r");
    await first.exited;
    await expect
      .poll(async () => {
        const again = endpoint.terminal("guest", size);
        again.type("exit\r");
        return again.exited;
      })
      .toBe(0);
    const doctor = await pep(["doctor", "--data-dir", endpoint.dataDirectory]);
    expect(doctor.stdout).toMatch(/budgets: Reached within a day: userInterface\.accounts 1 time \(guest\)/);
    expect(doctor.stdout).toMatch(/^ok {4}screens: .*one of 2 from 65620 to 65621/m);
  });

  test("of a server that was killed is found by the next one, with what it left behind", async () => {
    const settings = { userInterface: { accounts: { first: 65_630, count: 8 } } };
    const endpoint = await startEndpointWith(settings);
    const terminal = endpoint.terminal("support", size);
    await terminal.waitFor("PS support@pep>");
    const [ui = 0] = childrenOf(endpoint.pid);
    const left = leaveBehind(uidOf(ui));
    await endpoint.end();
    expect(isRunning(left)).toBe(true);
    const next = await startEndpoint({ dataDirectory: endpoint.dataDirectory });
    await expect.poll(() => isRunning(left)).toBe(false);
    expect(next.stderr()).toMatch(/left behind in account 6563\d/);
  });
});
