import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyDecoder, type KeyEvent } from "../../ui/input/key-decoder.ts";
import { edit, type Editor, type Effect, emptyEditor, ghostOf, maximumLineLength } from "../../ui/input/line-editor.ts";
import { complete } from "../../ui/language/complete.ts";
import { graphemes } from "../../ui/text/cells.ts";
import { commands } from "./fixtures.ts";

const completeHere = (text: string, cursor: number) => complete(text, cursor, commands);
const decode = (text: string): readonly KeyEvent[] => createKeyDecoder().push(new TextEncoder().encode(text));

const press = (typed: string, from: Editor = emptyEditor): { editor: Editor; effects: Effect[] } => {
  let editor = from;
  const effects: Effect[] = [];
  for (const event of decode(typed)) {
    const edited = edit(editor, event, completeHere);
    editor = edited.editor;
    if (edited.effect !== undefined) effects.push(edited.effect);
  }
  return { editor, effects };
};
/** The line with `|` for the cursor. */
const line = (typed: string, from?: Editor): string => {
  const { text, cursor } = press(typed, from).editor;
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
};

const left = "\u001b[D";
const right = "\u001b[C";
const up = "\u001b[A";
const down = "\u001b[B";

describe("editing", () => {
  test.each([
    ["text goes in at the cursor", `ac${left}b`, "ab|c"],
    ["right stops at the end", `ab${right}${right}`, "ab|"],
    ["Home and End of xterm", "ab\u001b[H>\u001b[F<", ">ab<|"],
    ["Home and End of PuTTY and the linux console", "ab\u001b[1~>\u001b[4~<", ">ab<|"],
    ["Home in application mode", "ab\u001bOHx", "x|ab"],
    ["Ctrl-A and Ctrl-E", "ab\u0001x\u0005y", "xaby|"],
    ["Ctrl-K cuts to the end, Ctrl-Y brings it back", `abcd${left}${left}\u000b\u0001\u0019`, "cd|ab"],
    ["Ctrl-U cuts to the start", `abcd${left}\u0015`, "|d"],
    ["Ctrl-W cuts a word with its hyphens", "one two-three \u0017", "one |"],
    ["Alt-Backspace cuts a part of a word", "one two-three\u001b\u007f", "one two-|"],
    ["Ctrl-Left goes to the start of the word", "one two\u001b[1;5D", "one |two"],
    ["Alt-F goes to the end of the word", "one two\u0001\u001bf", "one| two"],
    ["Backspace and Delete", `abc${left}\u007f\u001b[3~`, "a|"],
    ["Ctrl-D in a line deletes", "ab\u0001\u0004", "|b"],
    ["a wide character is one character", `日本${left}x`, "日x|本"],
    ["an emoji with its skin colour is one character", "a👍🏽\u007f", "a|"],
    ["a combined letter is one character", `e\u0301x${left}${left}y`, "y|e\u0301x"],
  ])("%s", (_name, typed, expected) => {
    expect(line(typed)).toBe(expected);
  });

  test("a line has an end", () => {
    expect(press("x".repeat(maximumLineLength + 100)).editor.text).toHaveLength(maximumLineLength);
  });

  test("no keys in any order put the cursor outside the line or inside a character", () => {
    const keys = fc.constantFrom(
      left,
      right,
      up,
      down,
      "\t",
      "\u001b[Z",
      "\u007f",
      "\u001b[3~",
      "\u0001",
      "\u0005",
      "\u000b",
      "\u0015",
      "\u0017",
      "\u0019",
      "\u0012",
      "\u0003",
      "\r",
      "\u001bb",
      "\u001bf",
      "\u001bd",
      "\u001b",
      "Get-",
      " -V",
      "'",
      '"',
      "日本",
      "é",
      "e\u0301",
      "🇩🇪",
      "👍🏽",
      "a b",
      ",",
      "`",
      "\u0007",
      "\u001b[H",
      "\u001b[F",
      "|",
    );
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 60 }), (typed) => {
        let editor: Editor = emptyEditor;
        for (const event of typed.flatMap((each) => decode(each))) {
          ({ editor } = edit(editor, event, completeHere));
          let at = 0;
          const borders = new Set([0, ...graphemes(editor.text).map((grapheme) => (at += grapheme.length))]);
          expect(borders.has(editor.cursor)).toBe(true);
          ghostOf(editor, completeHere);
        }
      }),
    );
  });
});

describe("running a line", () => {
  test("Enter gives the line away and empties it", () => {
    const { editor, effects } = press("abc\r");
    expect(effects).toEqual([{ type: "submit", line: "abc" }]);
    expect(editor.text).toBe("");
  });
  test("several lines in one chunk are several lines", () => {
    expect(press("one\rtwo\r\nthree\nfour").effects).toEqual(
      ["one", "two", "three"].map((each) => ({ type: "submit", line: each })),
    );
  });
  test("Ctrl-C drops the line, Ctrl-D leaves on an empty one", () => {
    expect(press("abc\u0003\u0004").effects).toEqual([{ type: "interrupt", line: "abc" }, { type: "leave" }]);
  });
});

describe("history", () => {
  const past = press("first\rsecond one\rsecond one\rthird\r").editor;

  test("up and down walk through it and back to what was being typed", () => {
    expect(line(up, past)).toBe("third|");
    expect(line(up + up + up, past)).toBe("first|");
    expect(line(up + up + up + up, past)).toBe("first|");
    expect(line(`draft${up}${up}${down}${down}`, past)).toBe("draft|");
  });
  test("a repeated line is kept once, an empty one never", () => {
    expect(press("\r  \r", past).editor.history).toEqual(["first", "second one", "third"]);
  });
  test("a line that holds what looks like a recovery key is not kept", () => {
    const key = "235818-357951-253979-013365-241120-245575-342914-591910";
    expect(press(`Get-Help ${key}\rok\r`).editor.history).toEqual(["ok"]);
  });
  test("Ctrl-R searches backwards, again for older ones, and Enter runs what it found", () => {
    expect(line("\u0012nd", past)).toBe("second one|");
    expect(press("\u0012ir", past).editor.search).toEqual({ query: "ir", at: 2 });
    expect(line("\u0012ir\u0012", past)).toBe("first|");
    expect(press("\u0012sec\r", past).effects).toEqual([{ type: "submit", line: "second one" }]);
  });
  test("Ctrl-G leaves the search with the line as it was", () => {
    expect(line("draft\u0012sec\u0007", past)).toBe("draft|");
  });
  test("it doesn't grow without end", () => {
    const many = press(Array.from({ length: 300 }, (_, index) => `line ${index}\r`).join("")).editor;
    expect(many.history).toHaveLength(200);
    expect(many.history.at(-1)).toBe("line 299");
  });
});

describe("Tab", () => {
  test("takes the only candidate, with a blank after it", () => {
    expect(line("ver\t")).toBe("verify-cert |");
  });
  test("extends to what all candidates share, and lists them", () => {
    const { editor } = press("ge\t");
    expect(editor.text).toBe("Get-");
    expect(editor.choice?.candidates.map(({ label }) => label)).toEqual([
      "Get-Command",
      "Get-Help",
      "Get-RecoveryKeys",
    ]);
  });
  test("goes through them, and Shift-Tab goes back", () => {
    expect(line("get-\t\t\t")).toBe("Get-Help|");
    expect(line("get-\t\u001b[Z")).toBe("Get-RecoveryKeys|");
    expect(line("get-\t\t\t\t\t")).toBe("Get-Command|");
  });
  test("any other key takes the candidate and closes the list", () => {
    const { editor } = press("get-\t\t x");
    expect(editor.text).toBe("Get-Command x");
    expect(editor.choice).toBeUndefined();
  });
  test("quotes a value with blanks", () => {
    expect(line("Get-RecoveryKeys -VolumeType rem\t")).toBe("Get-RecoveryKeys -VolumeType 'Removable Data' |");
  });
  test("in the middle of a line leaves the rest alone", () => {
    expect(line(`ver -raw${left.repeat(5)}\t`)).toBe("verify-cert| -raw");
  });
});

describe("the ghost", () => {
  test("is the rest of the first candidate, and the right arrow takes it", () => {
    expect(ghostOf(press("get-r").editor, completeHere)).toBe("ecoveryKeys");
    expect(line(`get-r${right}`)).toBe("get-recoveryKeys|");
  });
  test("is not there inside a line", () => {
    expect(ghostOf(press(`get-r${left}`).editor, completeHere)).toBe("");
  });
});
