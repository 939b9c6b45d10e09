import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ToUi } from "../../ui/protocol.ts";
import { keyColumns, keyRow, openAt, withoutGlyphs } from "./fixtures.ts";
import { buildBundle, type TestSession, UiProcess } from "./ui-process.ts";

let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

/** Types lines and plays the server; each step's screen goes into the golden file as a person would see it. */
const tour = async (columns: number, rows: number): Promise<string> => {
  const ui = new UiProcess(built.bundle);
  const session = ui.open(
    1,
    openAt(columns, rows, { welcome: "pep: privileged endpoint\nEverything you do here is on the record." }),
  );
  const steps: string[] = [];
  const see = async (name: string): Promise<void> => {
    await ui.settled();
    const { x, y } = session.cursor;
    steps.push(`=== ${name} (cursor ${x},${y})\n${withoutGlyphs(session.screen)}\n`);
  };
  let id = 0;
  const answer = (...parts: readonly ToUi[]): void => {
    for (const part of parts) session.tell(part);
  };
  const run = async (line: string): Promise<number> => {
    session.type(`${line}\r`);
    id += 1;
    const expected = id;
    await ui.until(() => session.messagesOf("line").some((sent) => sent.id === expected), `line ${line}`);
    return id;
  };

  await see("welcome");
  session.type("Get-Rec");
  await see("a command being typed: the rest of it, its syntax");
  session.type("overyKeys -VolumeType Foo");
  await see("a value that isn't allowed");
  session.type("\u0015Get-RecoveryKeys -\t");
  await see("Tab: what can stand here");
  session.type("\t\t");
  await see("Tab again: the second of them");
  session.type("\u0015");

  let current = await run("Get-RecoveryKeys -ComputerName LAPTOP");
  answer(
    { type: "table", id: current, columns: keyColumns, list: false },
    { type: "rows", id: current, rows: [keyRow(0), keyRow(1)], more: true },
  );
  await see("a page, with more to come");
  session.type(" ");
  await ui.until(() => session.messagesOf("more").length === 1, "more");
  answer(
    { type: "rows", id: current, rows: [keyRow(2)], more: false },
    { type: "end", id: current, exitStatus: 0, rowCount: 3 },
  );
  await see("the last page");
  session.type("\u000c");

  current = await run("Get-RecoveryKeys -ComputerName LAPTOP-007");
  answer(
    { type: "table", id: current, columns: keyColumns, list: true },
    { type: "rows", id: current, rows: [keyRow(7)], more: false },
    { type: "end", id: current, exitStatus: 0, rowCount: 1 },
  );
  await see("one key: easy to read aloud");
  session.type("\u000c");

  current = await run("Get-Command");
  answer(
    {
      type: "table",
      id: current,
      columns: [
        { name: "Name", width: 20, secret: false },
        { name: "Synopsis", width: 40, secret: false },
      ],
      list: false,
    },
    {
      type: "rows",
      id: current,
      rows: [
        ["Get-RecoveryKeys", "Shows recovery keys of encrypted volumes, one row for each."],
        ["日本語", "Wide \u001b[31mand coloured\u001b[0m, and a bell\u0007."],
      ],
      more: false,
    },
    { type: "end", id: current, exitStatus: 0, rowCount: 2 },
  );
  current = await run("Get-RecoveryKeys -ComputerName NOBODY");
  answer(
    { type: "error", id: current, category: "ObjectNotFound", message: "There is no recovery key of NOBODY." },
    { type: "end", id: current, exitStatus: 3, rowCount: 0 },
    { type: "notice", text: "This session ends in 5 minutes without input." },
  );
  current = await run("verify-cert");
  answer(
    {
      type: "text",
      id: current,
      text: "The certificate expires on 2026-03-01.\n  Renew it before then, or clients can't escrow.",
    },
    { type: "end", id: current, exitStatus: 1, rowCount: 0 },
  );
  await see("a table with wide and hostile cells, an error, a notice, a text");
  session.type("\u000cnote 235818-357951-253979-013365-241120-245575-342914-591910");
  await see("a key typed by the user is masked");
  session.type("\u0015\u0012get-c");
  await see("searching the history");
  session.type("\u0007");
  await ui.settled();
  ui.kill();
  return steps.join("\n");
};

describe("what a person sees", () => {
  test.each([
    [80, 24],
    [40, 10],
    [200, 60],
  ])("at %ix%i", async (columns, rows) => {
    await expect(await tour(columns, rows)).toMatchFileSnapshot(`../golden/ui-${columns}x${rows}.txt`);
  });
});

const openSession = async (columns = 80, rows = 24, color = "0"): Promise<{ ui: UiProcess; session: TestSession }> => {
  const ui = new UiProcess(built.bundle, { color });
  const session = ui.open(1, openAt(columns, rows));
  await ui.until(() => session.screen.includes(">"), "prompt");
  return { ui, session };
};

describe("the screen", () => {
  test("uses colours only where FORCE_COLOR says so", async () => {
    const plain = await openSession();
    const colored = await openSession(80, 24, "1");
    for (const { ui, session } of [plain, colored]) {
      session.type("Get-Foo x\r");
      await ui.until(() => session.messagesOf("line").length === 1, "line");
      session.tell({ type: "error", id: 1, category: "CommandNotFound", message: "Not recognised." });
      session.tell({ type: "end", id: 1, exitStatus: 127, rowCount: 0 });
      await ui.until(() => session.screen.includes("CommandNotFound: Not recognised."), "error");
      ui.kill();
    }
    expect(plain.session.painted).not.toMatch(/\u001b\[[\d;]*m/);
    expect(colored.session.painted).toContain("\u001b[31mCommandNotFound");
    expect(colored.session.painted).toContain("\u001b[32mPS support@pep>");
  });

  test.each([
    [100, 30],
    [40, 10],
  ])("sends no more than 120 bytes for a key that changes one line at %ix%i", async (columns, rows) => {
    const { ui, session } = await openSession(columns, rows, "1");
    session.type("Get-R");
    await ui.settled();
    // The hint below stays as it is.
    for (const key of "ecoveryKey") {
      const before = session.painted.length;
      session.type(key);
      await ui.until(() => session.painted.length > before, "echo");
      await ui.settled();
      expect(session.painted.length - before, key).toBeLessThanOrEqual(120);
    }
    ui.kill();
  });

  test("keeps the line and the cursor through any resize, down to a few cells", async () => {
    const { ui, session } = await openSession();
    session.type("Get-RecoveryKeys -ComputerName 日本");
    for (const [columns, rows] of [
      [10, 3],
      [1, 1],
      [2, 60],
      [200, 2],
      [40, 10],
      [80, 24],
    ] as const) {
      session.tell({ type: "resize", columns, rows });
      await ui.settled();
    }
    expect(session.screen).toContain("PS support@pep> Get-RecoveryKeys -ComputerName 日本");
    session.type("X");
    await ui.until(() => session.screen.includes("日本X"), "the line goes on");
    ui.kill();
  });

  test("shows every glyph of a key at 10x3", async () => {
    const { ui, session } = await openSession(10, 3);
    session.type("x\r");
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    session.tell({ type: "table", id: 1, columns: keyColumns, list: false });
    session.tell({ type: "rows", id: 1, rows: [keyRow(0)], more: false });
    session.tell({ type: "end", id: 1, exitStatus: 0, rowCount: 1 });
    await ui.until(() => session.messagesOf("released").length === 1, "released");
    const key = (keyRow(0)[2] ?? "").match(/.{1,7}/gu) ?? [];
    const lines = session.scrollback.split("\n");
    expect(lines.filter((line) => /\p{Co}/u.test(line)).map((line) => line.trim())).toEqual(key);
    ui.kill();
  });

  test("leaves nothing behind of a line that wraps, when it gets shorter", async () => {
    const { ui, session } = await openSession(40, 10);
    session.type(`Get-Help ${"y".repeat(100)}`);
    await ui.until(() => session.screen.match(/y/g)?.length === 100, "wrapped line");
    session.type("\u0015z");
    await ui.until(() => session.screen.includes("> z"), "short line");
    expect(session.scrollback).not.toContain("yy");
    ui.kill();
  });

  test("clears the screen and its scrollback for Clear-Host, the screen alone for Ctrl-L", async () => {
    const { ui, session } = await openSession(80, 6);
    session.type("\r".repeat(10));
    session.type("verify-cert -raw\u000c");
    await ui.settled();
    expect(session.screen).toBe("PS support@pep> verify-cert -raw\n-raw  Prints 1 or 0.");
    expect(session.scrollback.split("\n").length).toBeGreaterThan(5);
    session.type("\u0015Clear-Host\r");
    await ui.until(() => session.messagesOf("line").length === 1, "line");
    session.tell({ type: "end", id: 1, exitStatus: 0, rowCount: 0, action: "clear" });
    await ui.until(() => session.scrollback === "PS support@pep>", "nothing but the prompt");
    ui.kill();
  });
});
