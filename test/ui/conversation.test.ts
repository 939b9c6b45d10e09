import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeFrame, frameKind, type ToUi } from "../../ui/protocol.ts";
import { isGlyph, keyColumns, keyRow, openAt } from "./fixtures.ts";
import { buildBundle, type TestSession, UiProcess } from "./ui-process.ts";

let built: Awaited<ReturnType<typeof buildBundle>>;
let ui: UiProcess;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

const start = async (columns = 80, rows = 24): Promise<TestSession> => {
  ui = new UiProcess(built.bundle);
  const session = ui.open(1, openAt(columns, rows));
  await ui.until(() => session.screen.includes("PS support@pep>"), "prompt");
  return session;
};
const lines = (session: TestSession): readonly string[] => session.messagesOf("line").map(({ text }) => text);
const sent = (session: TestSession, count: number): Promise<void> =>
  ui.until(() => lines(session).length >= count, `${count} lines`);
const end = (id: number, rowCount = 0): ToUi => ({ type: "end", id, exitStatus: 0, rowCount });
const page = (session: TestSession, id: number, more: boolean, from = 0): void => {
  if (from === 0) session.tell({ type: "table", id, columns: keyColumns, list: false });
  session.tell({ type: "rows", id, rows: [keyRow(from), keyRow(from + 1)], more });
};

describe("lines", () => {
  test("of a paste wait for Enter each, at a prompt", async () => {
    const session = await start();
    session.type("\u001b[200~one\r\n\r\ntwo\nthree\n\u001b[201~");
    await ui.until(() => session.screen.includes("2 more pasted lines"), "the lines that wait");
    expect([lines(session), session.screen.includes("PS support@pep> one")]).toEqual([[], true]);
    session.type("\r");
    await sent(session, 1);
    session.type("x");
    session.type("\u007f");
    session.tell(end(1));
    await ui.until(() => session.screen.includes("PS support@pep> two"), "the next line");
    session.type("!");
    session.type("\r");
    await sent(session, 2);
    session.tell(end(2));
    await ui.until(() => session.screen.includes("PS support@pep> three"), "the last line");
    await ui.settled();
    expect(lines(session)).toEqual(["one", "two!"]);
    ui.kill();
  });

  test("that come at once wait too, from a terminal that marks no paste; Ctrl-C drops them", async () => {
    const session = await start();
    session.type("one\rtwo\r");
    session.type("three\r");
    await ui.until(() => session.screen.includes("2 more pasted lines"), "the lines that wait");
    session.type("\u0003");
    session.type("four");
    session.type("\r");
    await sent(session, 1);
    expect(lines(session)).toEqual(["four"]);
    ui.kill();
  });

  test("of a paste that wait are dropped when the server asks a question", async () => {
    const session = await start();
    session.type("one\rtwo\rthree\r");
    session.type("\r");
    await sent(session, 1);
    session.tell({ type: "suspend" });
    await ui.until(() => session.messagesOf("suspended").length === 1, "suspended");
    session.tell({ type: "resume" });
    session.tell(end(1));
    session.type("four\r");
    await sent(session, 2);
    expect([lines(session), session.painted.includes("two")]).toEqual([["one", "four"], false]);
    ui.kill();
  });

  test("of a file run when it is over, and then the session leaves", async () => {
    const session = await start();
    session.type("one\ntwo\nthree\n");
    session.tell({ type: "input-over" });
    for (const id of [1, 2, 3]) {
      await sent(session, id);
      session.tell(end(id));
    }
    await ui.until(() => session.messagesOf("leave").length === 1, "leave");
    expect(lines(session)).toEqual(["one", "two", "three"]);
    ui.kill();
  });

  test("typed ahead wait, and are seen in the prompt when the answer is there", async () => {
    const session = await start();
    session.type("one\r");
    await sent(session, 1);
    session.type("tw");
    await ui.until(() => session.screen.includes("> tw"), "type-ahead");
    session.tell(end(1));
    await ui.until(() => session.screen.includes("PS support@pep> tw"), "prompt with the type-ahead");
    session.type("o\r");
    await sent(session, 2);
    expect(lines(session)).toEqual(["one", "two"]);
    ui.kill();
  });

  test("typed ahead beyond all measure are dropped, with a word about it", async () => {
    const session = await start();
    session.type("one\r");
    for (let count = 0; count < 300; count += 1) session.type("x\r");
    await ui.until(() => session.scrollback.includes("the rest is dropped"), "notice");
    session.type("\u0003");
    session.tell(end(1));
    session.type("two\r");
    await sent(session, 2);
    expect(session.scrollback.match(/the rest is dropped/g)).toHaveLength(1);
    expect(lines(session)).toEqual(["one", "two"]);
    ui.kill();
  });

  test("of a paste without end wait too, and Ctrl-C and Ctrl-D still work", async () => {
    const session = await start();
    session.type("\u001b[200~one");
    await ui.until(() => session.screen.includes("> one"), "text of the paste");
    session.type("\rtwo");
    await ui.until(() => session.screen.includes("1 more pasted line:"), "the line that waits");
    session.type("\u0003");
    await ui.until(() => session.screen.includes("one^C"), "interrupted");
    session.type("\u001b[200~");
    session.type("\u0004");
    await ui.until(() => session.messagesOf("leave").length === 1, "leave");
    expect(lines(session)).toEqual([]);
    ui.kill();
  });

  test("reach the server as typed, but a key among them is neither painted nor recalled", async () => {
    const session = await start();
    const key = "235818-357951-253979-013365-241120-245575-342914-591910";
    session.type(`Get-Help ${key}`);
    session.type("\r");
    await sent(session, 1);
    session.tell(end(1));
    session.type("\u001b[A\u001b[A");
    await ui.settled();
    expect(lines(session)).toEqual([`Get-Help ${key}`]);
    expect(session.painted).not.toContain("357951");
    expect(session.screen).toMatch(/Get-Help ••••••-/);
    expect(session.screen.endsWith("PS support@pep>")).toBe(true);
    ui.kill();
  });

  test("Ctrl-C stops what runs, once, and drops what was typed ahead", async () => {
    const session = await start();
    for (const line of ["one\r", "two\r", "three\r"]) session.type(line);
    await sent(session, 1);
    session.type("\u0003\u0003");
    await ui.until(() => session.messagesOf("stop").length === 1, "stop");
    session.tell({ type: "error", id: 1, category: "OperationStopped", message: "Stopped." });
    session.tell({ type: "end", id: 1, exitStatus: 130, rowCount: 0 });
    await ui.until(() => session.screen.endsWith("PS support@pep>"), "prompt");
    await ui.settled();
    expect(session.messagesOf("stop")).toEqual([{ type: "stop", id: 1 }]);
    expect(lines(session)).toEqual(["one"]);
    ui.kill();
  });

  test("Ctrl-D leaves at the prompt, not while something runs", async () => {
    const session = await start();
    session.type("one\r\u0004");
    await sent(session, 1);
    session.tell(end(1));
    await ui.settled();
    expect(session.messagesOf("leave")).toEqual([]);
    session.type("\u0004");
    await ui.until(() => session.messagesOf("leave").length === 1, "leave");
    ui.kill();
  });

  test("a status with the seconds is shown while one runs", async () => {
    const session = await start();
    session.type("one\r");
    await ui.until(() => session.screen.includes("Running… 0 s"), "status");
    await ui.until(() => session.screen.includes("Running… 1 s"), "a second later");
    session.tell(end(1));
    await ui.until(() => session.screen.endsWith("PS support@pep>"), "prompt");
    expect(session.scrollback).not.toContain("Running");
    ui.kill();
  });
});

describe("pages", () => {
  test("wait for a key; keys pressed twice or meant for nothing don't get into the next line", async () => {
    const session = await start();
    session.type("one\r");
    await sent(session, 1);
    page(session, 1, true);
    await ui.until(() => session.screen.includes("-- more --"), "pager");
    session.type("x  ");
    await ui.until(() => session.messagesOf("more").length === 1, "more");
    page(session, 1, true, 2);
    await ui.until(() => session.screen.includes("-- more --"), "pager");
    session.type("\r");
    await ui.until(() => session.messagesOf("more").length === 2, "more");
    page(session, 1, true, 4);
    await ui.until(() => session.screen.includes("-- more --"), "pager");
    session.type("q");
    await ui.until(() => session.messagesOf("stop").length === 1, "stop");
    session.tell(end(1, 6));
    await ui.until(() => session.screen.endsWith("6 rows\nPS support@pep>"), "end");
    expect(session.messages.map(({ type }) => type)).toEqual(["line", "more", "more", "stop", "released"]);
    ui.kill();
  });

  test("a page that was on its way when the answer was stopped asks for nothing", async () => {
    const session = await start();
    session.type("one\r");
    await sent(session, 1);
    session.type("\u0003");
    await ui.until(() => session.messagesOf("stop").length === 1, "stop");
    page(session, 1, true);
    await ui.settled();
    expect(session.screen).not.toContain("-- more --");
    ui.kill();
  });
});

describe("glyphs", () => {
  test("are released after the last byte that uses them, and never painted again", async () => {
    const session = await start(80, 12);
    for (const id of [1, 2]) {
      session.type(`line ${id}\r`);
      await sent(session, id);
      page(session, id, false, id * 2 - 2 || 0);
      if (id === 2) session.tell({ type: "table", id, columns: keyColumns, list: false });
      if (id === 2) session.tell({ type: "rows", id, rows: [keyRow(5)], more: false });
      session.tell(end(id, 2));
      await ui.until(() => session.messagesOf("released").length === id, "released");
    }
    // Everything that could make Ink repaint.
    session.type("typed\u001b[A\u001b[A\u0012x\u0007\t");
    session.tell({ type: "resize", columns: 40, rows: 10 });
    session.tell({ type: "resize", columns: 120, rows: 5 });
    session.tell({ type: "suspend" });
    session.tell({ type: "resume" });
    session.type("\u000c");
    session.tell({ type: "notice", text: "still here" });
    session.tell({ type: "close" });
    await ui.settled();
    const released = session.log.findLastIndex((entry) => typeof entry !== "string" && entry.type === "released");
    const before = session.log.slice(0, released).filter((entry) => typeof entry === "string");
    const after = session.log.slice(released).filter((entry) => typeof entry === "string");
    expect(before.join("")).toMatch(isGlyph);
    expect(after.join("").length).toBeGreaterThan(200);
    expect(after.join("")).not.toMatch(isGlyph);
    ui.kill();
  });

  test("of an answer that ended while suspended are released only after the resume", async () => {
    const session = await start();
    session.type("one\r");
    await sent(session, 1);
    session.tell({ type: "suspend" });
    await ui.until(() => session.messagesOf("suspended").length === 1, "suspended");
    page(session, 1, false);
    session.tell(end(1, 2));
    await ui.settled();
    expect(session.messagesOf("released")).toEqual([]);
    expect(session.painted).not.toMatch(isGlyph);
    session.tell({ type: "resume" });
    await ui.until(() => session.messagesOf("released").length === 1, "released");
    await ui.settled();
    expect(session.scrollback).toMatch(isGlyph);
    ui.kill();
  });
});

describe("suspended", () => {
  test("the live part is gone before `suspended` is said, nothing is painted, keys are not taken", async () => {
    const session = await start();
    session.type("half a li");
    await ui.until(() => session.screen.includes("half a li"), "line");
    session.tell({ type: "suspend" });
    await ui.until(() => session.messagesOf("suspended").length === 1, "suspended");
    expect(session.screen).toBe("");
    expect(session.cursor).toEqual({ x: 0, y: 0 });
    const painted = session.painted;
    session.type("secret password\r");
    session.tell({ type: "notice", text: "later" });
    session.tell({ type: "resize", columns: 60, rows: 20 });
    await ui.settled();
    // Modes of the terminal show nothing.
    expect(session.painted.slice(painted.length)).toMatch(/^(?:\u001b\[\?(?:2004l|25h))*$/);
    session.tell({ type: "resume" });
    await ui.until(() => session.screen.startsWith("! later\nPS support@pep> half a li\n"), "the line as it was");
    expect(lines(session)).toEqual([]);
    session.type("ne\r");
    await sent(session, 1);
    expect(lines(session)).toEqual(["half a line"]);
    ui.kill();
  });
});

describe("the process", () => {
  test("serves several sessions; one that closes takes nothing of the others with it", async () => {
    const first = await start();
    const second = ui.open(2, openAt(40, 10));
    await ui.until(() => second.screen.includes(">"), "second prompt");
    first.type("in the first");
    second.type("in the second");
    await ui.until(() => first.screen.includes("in the first") && second.screen.includes("in the second"), "both");
    expect(first.screen).not.toContain("second");
    first.tell({ type: "close" });
    await ui.settled();
    expect(first.screen).toBe("");
    first.type("too late");
    second.type("!\r");
    await ui.until(() => lines(second).length === 1, "line of the second");
    expect(lines(first)).toEqual([]);
    const again = ui.open(1, openAt(80, 24));
    await ui.until(() => again.screen.includes("PS support@pep>"), "its number may be used again");
    expect(ui.stderr).toBe("");
    ui.kill();
  });

  test("says ready, answers pings, and ends when its input ends", async () => {
    await start();
    expect(ui.own[0]).toEqual({ type: "ready" });
    await ui.settled();
    expect(await ui.end()).toBe(0);
  });

  test("ends on a message it doesn't know, without a word of it in its log", async () => {
    const session = await start();
    ui.write(encodeFrame(frameKind.message, 1, new TextEncoder().encode('{"type":"123456-654321"}')));
    expect(await ui.exited).toBe(70);
    expect(ui.stderr).toContain("TypeError");
    expect(ui.stderr).not.toContain("654321");
    expect(session.messages).toEqual([]);
  });

  test.each([
    ["a text that is no JSON", encodeFrame(frameKind.message, 1, new TextEncoder().encode('{"type":"open'))],
    ["a length no frame has", Uint8Array.from([255, 255, 255, 255, 0, 0, 0, 0, 0])],
    [
      "a second open of one number",
      encodeFrame(frameKind.message, 1, new TextEncoder().encode(JSON.stringify(openAt(80, 24)))),
    ],
  ])("ends on %s", async (_name, frame) => {
    await start();
    ui.write(frame);
    expect(await ui.exited).toBe(70);
  });
});
