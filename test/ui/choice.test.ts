import { describe, expect, test } from "vitest";
import { type Choice, leftOf, newChoice, pressChoice, viewChoice } from "../../ui/choice.ts";
import type { KeyEvent } from "../../ui/input/key-decoder.ts";
import { lineText } from "../../ui/text/tones.ts";

const column = (name: string) => ({ name, width: 10, secret: false });
const choiceOf = (count: number): Choice => ({
  ...newChoice(["ComputerName", "PasswordId", "State"].map(column)),
  rows: Array.from({ length: count }, (_, index) => [
    `PC-${String(index + 1).padStart(3, "0")}`,
    `${String(index).padStart(8, "A")}-0000-4000-8000-000000000000`,
    index % 2 === 0 ? "Current" : "Replaced",
  ]),
});
const key = (name: string): KeyEvent => ({ type: "key", name, ctrl: false, alt: false, shift: false, pasted: false });
const text = (typed: string): KeyEvent => ({ type: "text", text: typed, pasted: false });
const press = (choice: Choice, ...events: readonly KeyEvent[]) => {
  let last: ReturnType<typeof pressChoice> = { choice };
  for (const event of events) last = pressChoice(last.choice, event, 5);
  return last;
};

describe("of rows to choose from", () => {
  test("Enter chooses the one that is pointed at", () => {
    expect(press(choiceOf(3), key("enter")).chosen).toBe(0);
    expect(press(choiceOf(3), key("down"), key("down"), key("down"), key("enter")).chosen).toBe(2);
    expect(press(choiceOf(30), key("page-down"), key("up"), key("enter")).chosen).toBe(4);
    expect(press(choiceOf(30), key("end"), key("enter")).chosen).toBe(29);
  });

  test("what is typed leaves those that have it in a cell, without hyphens, in either case", () => {
    expect(leftOf(press(choiceOf(100), text("pc0"), text("42")).choice)).toEqual([41]);
    expect(press(choiceOf(100), text("aaaaaaa7-0000"), key("enter")).chosen).toBe(7);
  });

  test("where none is left, Enter chooses nothing; Escape brings all back, and then ends", () => {
    const none = press(choiceOf(3), text("nothing"));
    expect([leftOf(none.choice), press(none.choice, key("enter")).chosen]).toEqual([[], undefined]);
    const all = press(none.choice, key("escape"));
    expect([leftOf(all.choice).length, all.chosen]).toEqual([3, undefined]);
    expect(press(all.choice, key("escape")).chosen).toBeNull();
  });

  test("those whose key was asked for are marked", () => {
    const { choice } = press(choiceOf(3), key("enter"), key("down"));
    const lines = viewChoice(choice, { columns: 80, rows: 24 }).lines.map(lineText);
    expect(lines[1]).toMatch(/^\* PC-001/);
    expect(lines.at(-1)).toContain("3 keys, 1 shown.");
  });
});

test.each([
  [100, 30],
  [40, 10],
  [20, 4],
  [5, 2],
])("a list of a hundred is never wider or taller than %i by %i, and the pointer is in sight", (columns, rows) => {
  for (const at of [0, 50, 99]) {
    const { lines } = viewChoice({ ...choiceOf(100), at }, { columns, rows });
    const texts = lines.map(lineText);
    expect(texts.length).toBeLessThan(rows);
    expect(texts.filter((line) => line.length > columns)).toEqual([]);
    if (rows > 3) expect(texts.some((line) => line.startsWith("> "))).toBe(true);
  }
});
