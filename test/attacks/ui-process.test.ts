/*
 * ATTACK  A compromised or broken UI process loops, floods, throws, takes all memory, lies in its messages, and tries to
 *         get out: to files, processes, the network, the server's own process.
 * DANGER  A server that hangs, grows or stops: nobody gets a key any more. Another user's session.
 * EXPECT  That process alone ends. Its sessions stay connected and get a fresh screen; other users notice nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { UiProcessEnd } from "../../server/session/interactive/ui-screen-queue.ts";
import { aliveBytes } from "../harness/memory.ts";
import { accounts } from "../harness/ui-isolation.ts";
import { fixture, poolFor, startShell } from "../session/interactive/shell.ts";

const notice = "notice: The screen stopped and was started again.";

const impatient = { heartbeatMs: 100, silenceMs: 1_500 };

describe("a UI process that", () => {
  test.each([
    ["throws", "!throw", { cause: "exited", detail: "status 1" }],
    ["loops for ever", "!hang", { cause: "silent" }],
    ["fills its heap", "!heap", { cause: "exited", detail: "SIGABRT" }],
    ["fills memory outside its heap", "!buffers", { cause: "memory" }],
    ["exits", "!exit", { cause: "exited", detail: "status 0" }],
    ["asks for a page that nobody offered", "!more-out-of-turn", { cause: "breach", detail: "more out of turn" }],
    ["runs two lines at a time", "!two-lines", { cause: "breach", detail: "line out of turn" }],
    ["says `suspended` unasked", "!unasked-suspended", { cause: "breach", detail: "suspended out of turn" }],
    ["speaks for a screen that does not exist", "!other-screen", { cause: "breach" }],
    ["answers a heartbeat that was not sent", "!pong", { cause: "breach", detail: "message out of turn" }],
    ["sends an unknown message", "!unknown-message", { cause: "breach", detail: "undecodable message" }],
    ["sends a field too many", "!extra-field", { cause: "breach", detail: "undecodable message" }],
    ["sends no JSON", "!no-json", { cause: "breach", detail: "undecodable message" }],
    ["sends a line longer than a line can be", "!long-line", { cause: "breach", detail: "undecodable message" }],
    ["announces a frame of 4 GB", "!huge-frame", { cause: "breach", detail: "not a frame" }],
    ["sends a kind of frame that does not exist", "!wrong-kind", { cause: "breach", detail: "not a frame" }],
    ["floods messages", "!messages", { cause: "breach", detail: "too many messages" }],
    ["floods empty frames", "!empty-frames", { cause: "breach", detail: "too many messages" }],
  ])("%s ends, and its session goes on with a fresh screen", async (_, line, end) => {
    const shell = startShell({ poolOptions: line === "!hang" || line === "!buffers" ? impatient : {} });
    await shell.run("text");
    const first = shell.ui.process();
    shell.type(`${line}\r`);
    await shell.sees(notice);
    await expect.poll(() => shell.lost).toMatchObject([end]);
    expect(shell.ui.process()).not.toBe(first);
    expect(await shell.run("text")).toContain("second line");
  });

  test("reuses an old line's number ends", async () => {
    const shell = startShell();
    await shell.run("text");
    shell.type("!old-id\r");
    await shell.sees(notice);
    await expect.poll(() => shell.lost).toMatchObject([{ cause: "breach", detail: "line out of turn" }]);
  });

  test("stops three times within a minute ends its session, with a word about it", async () => {
    const shell = startShell();
    for (const count of [0, 1]) {
      await shell.sees(new RegExp(`(?:notice: The screen stopped[^]*){${count}}> $`));
      shell.type("!throw\r");
      await expect.poll(() => shell.lost.length).toBe(count + 1);
    }
    await shell.sees(/(?:notice: The screen stopped[^]*){2}> $/);
    shell.type("!throw\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 70, reason: "no screen" });
    expect(shell.output()).toMatch(/◆ The screen stopped three times within a minute, so the session was ended\./);
  });

  test("stops while a command runs: the command is stopped, on the record", async () => {
    const shell = startShell();
    await shell.sees("> ");
    shell.type("slow\r");
    await expect.poll(() => shell.events.map(({ type }) => type)).toContain("command-started");
    process.kill(shell.ui.process(), "SIGKILL");
    await shell.sees(`${notice} The command that was running was stopped.`);
    expect(shell.events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped" });
  });

  test("ends takes no other user's session with it, and its own user's others get a screen each", async () => {
    const lost: UiProcessEnd[] = [];
    const pool = poolFor(fixture("plain-ui.mts"), lost);
    const [first, second] = [startShell({ pool }), startShell({ pool })];
    const other = startShell({ pool, connectedUser: "bob" });
    await Promise.all([first.sees("> "), second.sees("> "), other.sees("> ")]);
    const others = other.ui.process();
    first.type("!throw\r");
    await Promise.all([first.sees(notice), second.sees(notice)]);
    expect(first.ui.process()).not.toBe(second.ui.process());
    expect(await other.run("text")).toContain("second line");
    expect(other.ui.process()).toBe(others);
    expect(lost.length).toBe(1);
  });

  test.runIf(existsSync("/proc/self/io"))(
    "floods a screen whose client reads nothing is not read any more",
    async () => {
      const shell = startShell();
      await shell.sees("> ");
      const pid = shell.ui.process();
      const written = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
      const idle = written();
      shell.stall();
      shell.type("!flood\r");
      await expect.poll(written).toBeGreaterThan(idle + 100_000);
      let before = 0;
      await expect
        .poll(
          () => {
            const grown = written() - before;
            before += grown;
            return grown;
          },
          { interval: 500, timeout: 10_000 },
        )
        .toBe(0);
      expect(before - idle).toBeLessThan(2 * 1024 * 1024);
      expect(shell.lost).toEqual([]);
    },
  );

  test("floods its screen: other users are served, the server's memory stays, the user can leave", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const [flooding, other] = [startShell({ pool }), startShell({ pool, connectedUser: "bob" })];
    await Promise.all([flooding.sees("> "), other.sees("> ")]);
    flooding.stall();
    flooding.type("!flood\r");
    // Read nothing of it for as long as ten commands of somebody else take.
    const before = aliveBytes();
    for (let count = 0; count < 10; count += 1) expect(await other.run("text")).toContain("second line");
    expect(aliveBytes() - before).toBeLessThan(64 * 1024 * 1024);
    flooding.read();
    await flooding.sees("flood flood");
    flooding.close();
    await expect(flooding.result).resolves.toMatchObject({ exitStatus: 130 });
  });

  test("floods its screen with one character a frame takes no more of the server than one with large frames", async () => {
    const pool = poolFor(fixture("plain-ui.mts"), []);
    const [dripping, other] = [startShell({ pool }), startShell({ pool, connectedUser: "bob" })];
    await Promise.all([dripping.sees("> "), other.sees("> ")]);
    const before = aliveBytes();
    const shown = dripping.output().length;
    dripping.type("!drip\r");
    await dripping.sees("xxx");
    for (let count = 0; count < 10; count += 1) expect(await other.run("text")).toContain("second line");
    expect(aliveBytes() - before).toBeLessThan(128 * 1024 * 1024);
    // Each is painted, recorded and sent by itself: 700,000 of them kept the other user waiting for 40 s.
    expect(dripping.output().length - shown).toBeLessThan(100_000);
  });
});

test("a UI process has no files, no processes, no network, no way to the server, and an empty environment", async () => {
  const shell = startShell();
  await shell.sees("> ");
  const from = shell.output().length;
  shell.type("!break-out\r");
  await shell.sees(/connect .*\r\n/, from);
  await shell.sees(/identity .*\r\n/, from);
  const seen = shell.output().slice(from);
  expect(seen).toContain("read refused ERR_ACCESS_DENIED");
  expect(seen).toContain("spawn refused ERR_ACCESS_DENIED");
  expect(seen).toContain("connect refused ERR_ACCESS_DENIED");
  expect(seen).toContain("environment FORCE_COLOR,LANG,NODE_ENV,PATH,TERM\r\n");
  // Without root the process keeps the server's own user: what is left of the isolation is said in the README.
  if (process.getuid?.() !== 0 || !existsSync("/proc/self")) return;
  expect(seen).toContain("signal refused EPERM");
  expect(seen).toContain("root refused EPERM");
  // getgroups(2) may include the effective group.
  const [, uid = "", groups = ""] = /identity (\d+) (\d*)\r\n/.exec(seen) ?? [];
  expect(Number(uid)).toBeGreaterThanOrEqual(accounts.first);
  expect(Number(uid)).toBeLessThanOrEqual(accounts.last);
  expect(["", uid]).toContain(groups);
});
