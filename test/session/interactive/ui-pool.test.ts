import { spawnSync } from "node:child_process";
import { existsSync, openSync, closeSync, readdirSync, readlinkSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import type { UiProcessEnd } from "../../../server/session/interactive/ui-screen-queue.ts";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";
import { isolation } from "../../harness/ui-isolation.ts";
import { fixture, poolFor, startShell } from "./shell.ts";

const linux = existsSync("/proc/self/fd");

const isRunning = (pid: number): boolean => {
  // A zombie still has a directory; its state says so.
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

/** What a process has open, without what every Node process has by itself. */
const openIn = (pid: number | "self"): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      return [`${descriptor} ${readlinkSync(`/proc/${pid}/fd/${descriptor}`)}`];
    } catch {
      return [];
    }
  });

test("sessions of one user share a process, sessions of two never do", async () => {
  const lost: UiProcessEnd[] = [];
  const pool = poolFor(fixture("plain-ui.mts"), lost);
  const [first, second, other] = ["alice", "alice", "bob"].map((connectedUser) => startShell({ pool, connectedUser }));
  await Promise.all([first?.sees("> "), second?.sees("> "), other?.sees("> ")]);
  expect(first?.ui.process()).toBe(second?.ui.process());
  expect(first?.ui.process()).not.toBe(other?.ui.process());
});

test("a process has a bounded number of sessions", async () => {
  const pool = poolFor(fixture("plain-ui.mts"), [], { screensPerProcess: 2 });
  const shells = [1, 2, 3].map(() => startShell({ pool }));
  await Promise.all(shells.map((shell) => shell.sees("> ")));
  expect(new Set(shells.map((shell) => shell.ui.process())).size).toBe(2);
});

test("a process ends with its user's last session and serves nobody else", async () => {
  const lost: UiProcessEnd[] = [];
  const pool = poolFor(fixture("plain-ui.mts"), lost);
  const [first, second] = [startShell({ pool }), startShell({ pool })];
  await Promise.all([first.sees("> "), second.sees("> ")]);
  const pid = first.ui.process();
  first.type("\u0004");
  await first.result;
  expect(await second.run("text")).toContain("second line");
  expect(pool.processIds()).toContain(pid);
  second.type("\u0004");
  await second.result;
  await expect.poll(() => pool.processIds()).toEqual([]);
  const third = startShell({ pool, connectedUser: "bob" });
  await third.sees("> ");
  expect(third.ui.process()).not.toBe(pid);
  expect(lost).toEqual([]);
});

test("who comes back finds the process that served them, and nobody else ever does", async () => {
  const pool = poolFor(fixture("plain-ui.mts"), [], { lingerMs: 60_000 });
  const first = startShell({ pool });
  await first.sees("> ");
  const pid = first.ui.process();
  first.type("\u0004");
  await first.result;
  const [other, again] = [startShell({ pool, connectedUser: "bob" }), startShell({ pool })];
  await Promise.all([other.sees("> "), again.sees("> ")]);
  expect(again.ui.process()).toBe(pid);
  expect(other.ui.process()).not.toBe(pid);
});

test("a process lingers from the last time that its user left, not from the first", async () => {
  const pool = poolFor(fixture("plain-ui.mts"), [], { lingerMs: 5_000 });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const visit = async (): Promise<number | undefined> => {
    const shell = startShell({ pool });
    await shell.sees("> ");
    shell.type("\u0004");
    await shell.result;
    return shell.ui.process();
  };
  const pid = await visit();
  vi.advanceTimersByTime(4_000);
  expect(await visit()).toBe(pid);
  vi.advanceTimersByTime(4_000);
  expect(await visit()).toBe(pid);
  vi.advanceTimersByTime(5_000);
  await expect.poll(() => pool.processIds()).toEqual([]);
});

test("spare processes are started ahead, used, and replaced", async () => {
  const pool = poolFor(fixture("plain-ui.mts"), [], { spare: 2 });
  expect(pool.processIds()).toEqual([]);
  pool.warm();
  const ahead = pool.processIds();
  expect(ahead.length).toBe(2);
  const shell = startShell({ pool });
  await shell.sees("> ");
  expect(ahead).toContain(shell.ui.process());
  await expect.poll(() => pool.processIds().length).toBe(3);
});

test("a bundle that dies at its start is not started over and over", async () => {
  const lost: UiProcessEnd[] = [];
  const pool = poolFor(fixture("dies-at-start.mts"), lost, { spare: 2 });
  pool.warm();
  await expect.poll(() => lost.length).toBe(2);
  expect(lost[0]).toMatchObject({ cause: "not-started", detail: "status 3" });
  const shell = startShell({ pool });
  await expect(shell.result).resolves.toMatchObject({ exitStatus: 70, reason: "no screen" });
  expect(shell.output()).toContain("◆ The screen stopped three times within a minute");
});

test("a process that never says it is ready is killed", async () => {
  const lost: UiProcessEnd[] = [];
  const pool = poolFor(fixture("never-ready.mts"), lost, { spare: 1, startMs: 300, heartbeatMs: 50 });
  pool.warm();
  await expect.poll(() => lost).toMatchObject([{ cause: "not-started", detail: "not ready in time" }]);
});

test("closing the pool ends every process", async () => {
  const pool = poolFor(fixture("plain-ui.mts"), [], { spare: 1 });
  pool.warm();
  const shell = startShell({ pool });
  await shell.sees("> ");
  const pids = pool.processIds();
  await pool.close();
  await expect.poll(() => pids.filter(isRunning)).toEqual([]);
  await expect(shell.result).resolves.toMatchObject({ reason: "no screen" });
});

test.runIf(linux)("a UI process inherits no descriptor of the server", async () => {
  const directory = temporaryDirectory();
  const file = openSync(join(directory, "host-key"), "w");
  const database = new DatabaseSync(join(directory, "site.sqlite"));
  database.exec("pragma journal_mode = wal; create table kept (text)");
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => {
    closeSync(file);
    database.close();
    server.close();
  });
  await expect.poll(() => server.listening).toBe(true);
  const bundle = fixture("plain-ui.mts");
  const shell = startShell({ bundle });
  await shell.sees("> ");
  const own = new Set(openIn("self").map((entry) => entry.replace(/^\d+ /, "")));
  expect([...own].some((link) => link.endsWith("host-key"))).toBe(true);
  const inherited = openIn(shell.ui.process()).filter((entry) => {
    const [descriptor = "", link = ""] = entry.split(/ (.*)/s);
    return Number(descriptor) > 2 && own.has(link) && !link.startsWith("anon_inode:") && link !== "/dev/null";
  });
  // Its program, open for reading.
  const program = isolation.kind === "own-accounts" ? [`3 ${process.execPath}`, `4 ${bundle}`] : [];
  expect(inherited).toEqual(program);
});

test.runIf(linux)("descriptors that the server itself inherited from its parent are covered in a UI process", () => {
  // Whoever starts the server gives it descriptor 23, not close-on-exec and behind a gap.
  const directory = temporaryDirectory();
  const file = join(directory, "inherited");
  const given = openSync(file, "w");
  onTestFinished(() => closeSync(given));
  const pool = join(import.meta.dirname, "../../../server/session/interactive/ui-pool.ts");
  const program = `
    import { readlinkSync } from "node:fs";
    import { createUiPool } from ${JSON.stringify(pool)};
    const pool = createUiPool({
      bundle: ${JSON.stringify(fixture("never-ready.mts"))},
      isolation: ${JSON.stringify(isolation)},
      spare: 1,
      onLost: () => {},
      report: () => {},
      onUsedUp: () => {},
    });
    pool.warm();
    const [ui] = pool.processIds();
    console.log(readlinkSync("/proc/self/fd/23"), readlinkSync("/proc/" + ui + "/fd/23"));
    pool.close();`;
  const gap = Array.from({ length: 20 }, () => "ignore" as const);
  const server = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit", ...gap, given],
  });
  expect(server.stdout).toBe(`${file} /dev/null\n`);
});
