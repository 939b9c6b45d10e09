import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import headless from "@xterm/headless";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleUi } from "../../../build.ts";
import { stageLock } from "../../harness/session-lock.ts";
import { recoveryKeyAt, type Shell, type ShellOptions, startShell } from "./shell.ts";

let folder = "";
let bundle = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pep-ui-"));
  bundle = await bundleUi(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Seen extends Shell {
  /** The screen with its scrollback, as a person reads it; wrapped lines joined. */
  screen(): Promise<string>;
  shows(what: string | RegExp): Promise<void>;
}

const start = (options: ShellOptions = {}): Seen => {
  const shell = startShell({ bundle, ...options });
  const { columns, rows } = options.terminal ?? { columns: 80, rows: 24 };
  const read = async (): Promise<string> => {
    const terminal = new headless.Terminal({ cols: columns, rows, scrollback: 10_000, allowProposedApi: true });
    await new Promise<void>((resolve) => terminal.write(shell.output(), resolve));
    const { active } = terminal.buffer;
    let text = "";
    for (let index = 0; index < active.length; index += 1) {
      const line = active.getLine(index);
      text += `${line?.isWrapped === true || index === 0 ? "" : "\n"}${line?.translateToString(true) ?? ""}`;
    }
    terminal.dispose();
    return text.trimEnd();
  };
  return {
    ...shell,
    screen: read,
    async shows(what) {
      const matching = typeof what === "string" ? expect.stringContaining(what) : expect.stringMatching(what);
      await expect.poll(read, { timeout: 15_000, interval: 100 }).toEqual(matching);
    },
  };
};

const prompt = /alice@demo> ?$|demo.*> ?$/;

describe("the product's own UI", () => {
  test("is cleared by the lock, scrollback and all, and goes on below it after a code", async () => {
    const { lock, code } = await stageLock();
    const shell = start({ dependencies: { idleLockMs: 8_000, lock } });
    await shell.shows(prompt);
    shell.type("keys 2\r");
    await shell.shows(recoveryKeyAt(1));
    await shell.shows(prompt);
    shell.type("tex");
    await shell.shows("Code:");
    expect(await shell.screen()).toMatch(/^ ◆ demo asks {2}Locked, because nothing was typed for long\. Code:$/);
    shell.type(`${code()}\r`);
    await shell.shows(/Code: \nPS alice@demo> tex/);
    shell.type("t\r");
    await shell.shows("second line");
    expect(await shell.screen()).not.toMatch(/\d{6}-\d{6}/);
  });

  test("shows keys to the user and none in the transcript, and leaves at Ctrl-D", async () => {
    const shell = start();
    await shell.shows(prompt);
    shell.type("keys 2\r");
    await shell.shows(recoveryKeyAt(1));
    await shell.shows(prompt);
    shell.type("\u0004");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "left" });
    expect(await shell.screen()).toContain(recoveryKeyAt(0));
    expect(shell.transcript()).toContain("•".repeat(55));
    expect(shell.transcript()).not.toMatch(/[0-9]{6}-/);
    expect(shell.output()).not.toMatch(/\p{Co}/u);
    expect(shell.lost).toEqual([]);
    await expect.poll(() => shell.pool.processIds()).toEqual([]);
  });

  test.each([80, 60, 30])("shows every digit of a key in a terminal of %i columns", async (columns) => {
    const shell = start({ terminal: { columns, rows: 24, term: "xterm" } });
    await shell.shows(prompt);
    shell.type("keys 1\r");
    // A narrow screen breaks a key between its groups.
    await expect
      .poll(async () => (await shell.screen()).match(/[0-9]{6}/g)?.join("-"), { timeout: 15_000 })
      .toBe(recoveryKeyAt(0));
    shell.type("\u0004");
    await shell.result;
    expect(shell.transcript().replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "")).not.toMatch(/[0-9]{5}/);
  });

  test("pages, stops at q, and confirms many keys on the trusted path", async () => {
    const shell = start();
    await shell.shows(prompt);
    shell.type("keys 57\r");
    await shell.shows("◆ demo asks  Show 57 recovery keys? [y/N]");
    shell.type("y\r");
    await shell.shows(recoveryKeyAt(19));
    expect(await shell.screen()).not.toContain(recoveryKeyAt(20));
    shell.type(" ");
    await shell.shows(recoveryKeyAt(39));
    shell.type("q");
    await shell.shows(prompt);
    expect(await shell.screen()).not.toContain(recoveryKeyAt(40));
  });

  test("keeps the password out of the screen, and goes on after it", async () => {
    const shell = start();
    await shell.shows(prompt);
    shell.type("password\r");
    await shell.shows("◆ demo asks  Password for the file:");
    for (const key of "hunter2!") shell.type(key);
    shell.type("\r");
    await shell.shows("got a secret");
    await shell.shows(prompt);
    expect(shell.output()).not.toContain("hunter2");
    expect(shell.lost).toEqual([]);
  });

  test("runs the lines of a file, one after the other, and ends", async () => {
    const shell = start();
    await shell.shows(prompt);
    shell.type("text one\rtext two\rtext three\r");
    shell.endInput();
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 0, reason: "input ended" });
    await shell.shows(/one[^]*two[^]*three[^]*second line/);
    expect(shell.events.filter(({ type }) => type === "command-finished").length).toBe(3);
    expect(shell.lost).toEqual([]);
  });

  test("gets a fresh screen after its process is killed", async () => {
    const shell = start();
    await shell.shows(prompt);
    const [pid = 0] = shell.pool.processIds();
    process.kill(pid, "SIGKILL");
    await shell.shows("The screen stopped and was started again.");
    shell.type("text again\r");
    await expect(shell.shows(/again[^]*second line/)).resolves.toBeUndefined();
  });

  test("follows the window, clears the screen, and exits", async () => {
    const shell = start();
    await shell.shows(prompt);
    shell.resize({ columns: 100, rows: 30 });
    shell.type("text before\r");
    await shell.shows("second line");
    shell.type("clear\r");
    await expect.poll(() => shell.screen()).not.toContain("second line");
    shell.type("exit\r");
    await expect(shell.result).resolves.toMatchObject({ exitStatus: 0 });
    expect(shell.lost).toEqual([]);
  });

  test("answers more keys than there are glyphs, one screenful after the other", async () => {
    const shell = start({ terminal: { columns: 100, rows: 1000, term: "xterm" } });
    await shell.shows(prompt);
    for (let round = 1; round <= 3; round += 1) {
      shell.type("keys 990\r");
      await expect
        .poll(() => shell.output().split(recoveryKeyAt(989)).length - 1, { timeout: 15_000 })
        .toBeGreaterThanOrEqual(round);
      await expect.poll(() => shell.events.filter(({ type }) => type === "command-finished").length).toBe(round);
    }
    expect(shell.events.filter((event) => event.type === "command-finished" && event.exitStatus !== 0)).toEqual([]);
    expect(shell.lost).toEqual([]);
  });
});
