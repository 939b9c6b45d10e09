import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyDecoder, type KeyEvent } from "../../ui/input/key-decoder.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (text: string): readonly KeyEvent[] => createKeyDecoder().push(bytes(text));

/** Short forms for the assertions: text in quotes, keys by name. */
const names = (events: readonly KeyEvent[]): string =>
  events
    .map((event) => {
      if (event.type === "text") return `${event.pasted ? "pasted " : ""}'${event.text}'`;
      const marks = [event.pasted && "pasted", event.ctrl && "ctrl", event.alt && "alt", event.shift && "shift"];
      return [...marks.filter((mark) => mark !== false), event.name].join(" ");
    })
    .join(", ");

/** Chunk borders must not change what is read: runs of text are joined again. */
const joined = (events: readonly KeyEvent[]): string =>
  names(
    events.reduce<KeyEvent[]>((all, event) => {
      const last = all.at(-1);
      if (event.type !== "text" || last?.type !== "text" || last.pasted !== event.pasted) return [...all, event];
      return [...all.slice(0, -1), { ...last, text: last.text + event.text }];
    }, []),
  );

describe("keys", () => {
  test.each([
    ["a\r", "'a', enter"],
    ["\rb", "pasted enter, pasted 'b'"],
    ["a\r\u001b[A\u0003\r", "'a', enter, up, ctrl c, enter"],
    ["a\r\nb\tc\n\u0003", "pasted 'a', pasted enter, pasted 'b', pasted ' ', pasted 'c', pasted enter, ctrl c"],
    ["\r\n\n\r", "enter, enter, enter"],
    ["\u001b[A\u001bOB\u001b[1;5C\u001b[1;3D", "up, down, ctrl right, alt left"],
    ["\u001b[3~\u001b[5~\u001b[Z", "delete, page-up, shift tab"],
    ["\u001bb\u001b\u007f\u001bOM", "alt b, alt backspace, enter"],
    ["a\u0001\u0003\u007f\b\t", "'a', ctrl a, ctrl c, backspace, backspace, tab"],
    // Answers of terminals and keys that mean nothing here leave no rubbish behind.
    ["x\u001b[?1;2c\u001b[[A\u001b[15~\u001b[12;3R\u001b[I\u001b[<0;1;1My", "'x', 'y'"],
    ["\u001b[1\u0003z", "ctrl c, 'z'"],
    ["\u001bOQ\u001b[12~\u001b[[B\u001b[1;2Q", "f2, f2, f2, shift f2"],
    ["日本", "'日本'"],
  ])("%j", (text, expected) => {
    expect(names(decode(text))).toBe(expected);
  });

  test("invisible characters and private-use code points are not typed", () => {
    expect(names(decode("a\u202eb\u200bc\u{f0000}d\u{10fffd}e\ue000f\u0085g"))).toBe("'abcdefg'");
  });

  test("a character cut in two by a chunk is whole again", () => {
    const decoder = createKeyDecoder();
    const [first, ...rest] = bytes("日");
    expect(decoder.push(Uint8Array.from([first ?? 0]))).toEqual([]);
    expect(names(decoder.push(Uint8Array.from(rest)))).toBe("'日'");
  });

  test("a lone ESC waits, and is the Escape key when nothing follows", () => {
    const decoder = createKeyDecoder();
    expect(decoder.push(bytes("\u001b"))).toEqual([]);
    expect(decoder.pending).toBe(true);
    expect(names(decoder.flush())).toBe("escape");
    expect(decoder.pending).toBe(false);
  });

  test("a sequence that never ends is given up", () => {
    const decoder = createKeyDecoder();
    decoder.push(bytes(`\u001b[${"1;".repeat(1000)}`));
    decoder.flush();
    expect(names(decoder.push(bytes("a")))).toBe("'a'");
  });

  test("chunk borders anywhere change nothing", () => {
    const part = fc.constantFrom(
      "a",
      "日",
      "\t",
      "\u001b[200~a\r\n\rb\n\u001b[201~",
      "\u007f",
      "\u0003",
      "x y",
      "\u001b[A",
      "\u001b[1;5C",
      "\u001b[3~",
      "\u001bOH",
      "\u001bb",
      "\u001b[200~",
      "\u001b[201~",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.array(fc.nat(8), { maxLength: 40 }), (parts, cuts) => {
        const all = bytes(parts.join(""));
        const decoder = createKeyDecoder();
        const events: KeyEvent[] = [];
        let at = 0;
        for (const cut of cuts) {
          events.push(...decoder.push(all.slice(at, at + cut)));
          at += cut;
        }
        events.push(...decoder.push(all.slice(at)));
        const whole = createKeyDecoder();
        expect(joined([...events, ...decoder.flush()])).toBe(joined([...whole.push(all), ...whole.flush()]));
      }),
    );
  });

  test("no bytes make it throw, wait without end or hand on a control character", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const decoder = createKeyDecoder();
        for (const event of [...decoder.push(noise), ...decoder.flush()])
          if (event.type === "text") expect(event.text).not.toMatch(/[\p{Cc}\p{Co}]/u);
        expect(decoder.pending).toBe(false);
      }),
    );
  });
});

describe("paste", () => {
  test("fills and runs lines; a tab is a blank; other controls are dropped", () => {
    expect(names(decode("\u001b[200~one\r\ntwo\tx\u0007\u001b[201~y"))).toBe(
      "pasted 'one', pasted enter, pasted 'two x', pasted paste-end, 'y'",
    );
  });
  test("without its end goes on as it arrives", () => {
    const decoder = createKeyDecoder();
    expect(names(decoder.push(bytes("\u001b[200~abc")))).toBe("pasted 'abc'");
    expect(names(decoder.push(bytes("d\r")))).toBe("pasted 'd', pasted enter");
  });
  test.each([
    ["Ctrl-C", "\u0003", "ctrl c"],
    ["Ctrl-D", "\u0004", "ctrl d"],
    ["an arrow key", "\u001b[A", "up"],
  ])("%s ends one that never ended", (_name, typed, expected) => {
    const decoder = createKeyDecoder();
    decoder.push(bytes("\u001b[200~abc"));
    expect(names(decoder.push(bytes(`${typed}\t`)))).toBe(`${expected}, tab`);
  });
  test("its end may come in two chunks", () => {
    const decoder = createKeyDecoder();
    expect(names(decoder.push(bytes("\u001b[200~a\u001b[20")))).toBe("pasted 'a'");
    expect(names(decoder.push(bytes("1~b\t")))).toBe("pasted paste-end, 'b', tab");
  });
  test("a return and its line feed in two chunks are one Enter", () => {
    const decoder = createKeyDecoder();
    expect(names(decoder.push(bytes("\u001b[200~a\r")))).toBe("pasted 'a', pasted enter");
    expect(names(decoder.push(bytes("\nb\u001b[201~")))).toBe("pasted 'b', pasted paste-end");
  });
  test("that waits for Enter goes on with the next lines that come at once", () => {
    const decoder = createKeyDecoder();
    expect(names(decoder.push(bytes("c\r"), true))).toBe("pasted 'c', pasted enter");
    expect(names(decoder.push(bytes("\r"), true))).toBe("enter");
    expect(names(decoder.push(bytes("d"), true))).toBe("'d'");
  });
});
