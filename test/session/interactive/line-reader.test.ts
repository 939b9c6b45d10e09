import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyMask } from "../../../server/session/interactive/key-mask.ts";
import { LineReader } from "../../../server/session/interactive/line-reader.ts";
import { recoveryKeyAt } from "./shell.ts";

const start = (terminal = true) => {
  let echoed = "";
  let interrupts = 0;
  const reader = new LineReader({
    terminal,
    write: (echo) => {
      echoed += echo;
    },
    onInterrupt: () => {
      interrupts += 1;
    },
  });
  return { reader, echoed: () => echoed, interrupts: () => interrupts };
};

describe("with a terminal", () => {
  test("a line is echoed and returned, edited with Backspace and Ctrl-U", async () => {
    const { reader, echoed } = start();
    const line = reader.read("answer");
    void reader.feed("ab日\u007f\u0015xy\u007fz\r");
    await expect(line).resolves.toEqual({ kind: "line", text: "xz" });
    expect(echoed()).toBe("ab日\b \b\b \b\b \b\b \bxy\b \bz\r\n");
  });

  test("nothing at all is echoed of a password but its end", async () => {
    const { reader, echoed } = start();
    const line = reader.read("none");
    void reader.feed("s3cret\u007f\u007f\u0015passw");
    void reader.feed("ord\r");
    await expect(line).resolves.toEqual({ kind: "line", text: "password" });
    expect(echoed()).toBe("\r\n");
  });

  test("a pasted password is the password, without the marks around a paste", async () => {
    const { reader } = start();
    const line = reader.read("none");
    void reader.feed("\u001b[200~pass word[1]\u001b[201~\r");
    await expect(line).resolves.toEqual({ kind: "line", text: "pass word[1]" });
  });

  test("arrow and function keys say nothing, and a bare Escape takes no key with it", async () => {
    const { reader } = start();
    const line = reader.read("none");
    void reader.feed("a\u001b[A\u001b[1;5C\u001bOPb\u001bc\r");
    await expect(line).resolves.toEqual({ kind: "line", text: "abc" });
  });

  test.each([
    ["a letter that ends no sequence", "a\u001b[éb\r", "aéb"],
    ["a letter that no function key has", "a\u001bOéb\r", "aéb"],
    ["what claims to be a longer sequence than a key sends", `\u001b[${"1".repeat(20)}Ax\r`, "111111Ax"],
  ])("%s is text, and not lost", async (_what, typed, text) => {
    const { reader } = start();
    const line = reader.read("none");
    void reader.feed(typed);
    await expect(line).resolves.toEqual({ kind: "line", text });
  });

  test("Ctrl-C interrupts, Ctrl-D ends on an empty line only", async () => {
    const { reader } = start();
    const first = reader.read("answer");
    void reader.feed("abc\u0003");
    await expect(first).resolves.toEqual({ kind: "interrupt" });
    const second = reader.read("answer");
    void reader.feed("x\u0004\u007f\u0004");
    await expect(second).resolves.toEqual({ kind: "end" });
  });

  test("Ctrl-C while no line is asked for stops what runs and drops what was typed ahead", async () => {
    const { reader, interrupts } = start();
    void reader.feed("typed ahead\rmore\u0003");
    expect(interrupts()).toBe(1);
    const line = reader.read("answer");
    void reader.feed("new\r");
    await expect(line).resolves.toEqual({ kind: "line", text: "new" });
  });

  test("type-ahead is kept within bounds: then the sender waits", async () => {
    const { reader } = start();
    const fed = reader.feed("x".repeat(70_000));
    let room = false;
    void Promise.resolve(fed).then(() => (room = true));
    expect(fed).toBeInstanceOf(Promise);
    expect(room).toBe(false);
    reader.discard();
    await fed;
  });

  test("a line that is too long is told to be, not cut", async () => {
    const { reader } = start();
    const line = reader.read("answer");
    void reader.feed(`${"x".repeat(20_000)}\r`);
    await expect(line).resolves.toEqual({ kind: "too-long" });
  });

  test("CR LF is one line end, however it is cut", async () => {
    const { reader } = start();
    const first = reader.read("answer");
    void reader.feed("a\r");
    await first;
    const second = reader.read("answer");
    void reader.feed("\nb\r\n");
    await expect(second).resolves.toEqual({ kind: "line", text: "b" });
  });

  test("keys cut anywhere give the same line", async () => {
    const keys = fc.array(fc.constantFrom("a", "\u001b[A", "\u001b[200~", "\u001bOP", "\u007f", "é", "\u001b"), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(keys, async (pressed) => {
        const whole = start();
        const one = whole.reader.read("answer");
        void whole.reader.feed(`${pressed.join("")}\r`);
        const cut = start();
        const other = cut.reader.read("answer");
        for (const unit of `${pressed.join("")}\r`) void cut.reader.feed(unit);
        expect(await other).toEqual(await one);
        expect(cut.echoed()).toBe(whole.echoed());
      }),
    );
  });
});

describe("without a terminal", () => {
  test("lines come as they were sent, nothing is echoed, and the end is told", async () => {
    const { reader, echoed } = start(false);
    void reader.feed("first\r\nsecond\u0003\u001b[A\nlast");
    reader.end();
    await expect(reader.read("command")).resolves.toEqual({ kind: "line", text: "first" });
    await expect(reader.read("command")).resolves.toEqual({ kind: "line", text: "second\u0003\u001b[A" });
    await expect(reader.read("command")).resolves.toEqual({ kind: "line", text: "last" });
    await expect(reader.read("command")).resolves.toEqual({ kind: "end" });
    expect(echoed()).toBe("");
  });

  test("a line without end is told to be too long, and the next one is read", async () => {
    const { reader } = start(false);
    const line = reader.read("command");
    for (let count = 0; count < 40; count += 1) void reader.feed("x".repeat(1000));
    void reader.feed("\nnext\n");
    await expect(line).resolves.toEqual({ kind: "too-long" });
    await expect(reader.read("command")).resolves.toEqual({ kind: "line", text: "next" });
  });
});

describe("the mask on what is typed", () => {
  test("shows no more than three groups of a key, typed key by key, pasted, or corrected with Backspace", () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.array(fc.nat(54), { maxLength: 6 }),
        fc.constantFrom("-", " ", ""),
        (n, slips, by) => {
          const key = recoveryKeyAt(n).replaceAll("-", by);
          const mask = createKeyMask();
          let typed = "";
          for (const [index, character] of Array.from(key).entries()) {
            if (slips.includes(index)) typed += mask("7") + mask("\u007f");
            typed += mask(character);
          }
          expect(typed.replace(/[7•]\u007f/g, "").replace(/[^0-9]/g, "").length).toBeLessThanOrEqual(18 + slips.length);
          expect(createKeyMask()(`text ${key} x`)).not.toMatch(/[0-9]/);
        },
      ),
    );
  });

  test.each([
    "Get-RecoveryKeys -ComputerName PC-0042",
    "2026-11-22T09:30:00.000Z",
    "1a2b3c4d-0000-4000-8000-123456789012",
  ])("leaves %s alone", (line) => {
    const mask = createKeyMask();
    expect(Array.from(line, (character) => mask(character)).join("")).toBe(line);
  });
});
