import { describe, expect, test } from "vitest";
import { EndpointError } from "../../../../server/errors.ts";
import { KeyCard } from "../../../../server/session/interactive/key-card/key-card.ts";
import type { After } from "../../../../server/session/interactive/session-clock.ts";

const groups = ["346544", "383801", "198088", "402325", "436370", "552640", "530882", "491942"];
const digit = /\d{6}/;

/** A card on a terminal that keeps what it was sent, with a clock that a test moves. */
const open = (size = { columns: 40, rows: 12 }) => {
  const shown: string[] = [];
  const recorded: string[] = [];
  let seconds: (() => void) | undefined;
  const after: After = (_, act) => {
    seconds = act;
    return { refresh: () => undefined, stop: () => (seconds = undefined) };
  };
  const post = (text: string, record = text): void => {
    shown.push(text);
    recorded.push(record);
  };
  const ending = { isEnding: false };
  const card = new KeyCard(
    { endpointName: "pep", key: groups.join("-"), keyId: "57AAE64B-EDAA", computerName: "PC-1", facts: [] },
    {
      terminal: { post, write: async (...texts) => post(...texts) },
      size: () => size,
      after,
      shownSeconds: 60,
      isEnding: () => ending.isEnding,
    },
  );
  const stop = new AbortController();
  let end = "open";
  const ended = card.show(stop.signal).then(
    () => (end = "hidden"),
    (error: unknown) => (end = error instanceof EndpointError ? error.category : String(error)),
  );
  return {
    card,
    stop,
    ending,
    size,
    shown,
    recorded,
    ended,
    end: () => end,
    pass: (count: number) => Array.from({ length: count }, () => seconds?.()),
    last: () => shown.at(-1) ?? "",
  };
};

describe("a card", () => {
  test("stands on the alternate screen, and its cells are blanks before that is left", async () => {
    const stage = open();
    stage.card.type("\u001b");
    expect(await stage.ended).toBe("hidden");
    const [first = "", ...others] = stage.shown;
    expect(first).toContain("\u001b[?1049h");
    expect(first).toContain("346544");
    const last = others.at(-1) ?? "";
    expect(last).not.toMatch(digit);
    expect(last.indexOf(" ".repeat(39))).toBeLessThan(last.indexOf("\u001b[2J"));
    expect(last.indexOf("\u001b[2J")).toBeLessThan(last.indexOf("\u001b[?1049l"));
  });

  test.each([
    ["Esc", "\u001b"],
    ["q", "q"],
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("goes at %s", async (_, key) => {
    const stage = open();
    stage.card.type(key);
    expect(await stage.ended).toBe("hidden");
  });

  test("stays at arrow keys, at a pasted mark and at letters that mean nothing", () => {
    const stage = open();
    for (const keys of ["\u001b[A", "\u001bOP", "\u001b[200~", "xyz", " - "]) stage.card.type(keys);
    expect(stage.end()).toBe("open");
  });

  test("hides its key after sixty seconds without a key press, and then takes what is typed until Enter", async () => {
    const stage = open();
    stage.pass(59);
    stage.card.type("\u001b[A");
    stage.pass(59);
    expect(stage.last()).toContain("Hides in 1 s");
    stage.pass(1);
    expect(stage.last()).toContain("Time is up: the key is hidden.");
    expect(stage.last()).not.toMatch(digit);
    expect(stage.last().indexOf(" ".repeat(39))).toBeLessThan(stage.last().indexOf("Time is up"));
    stage.card.type("346544");
    expect([stage.end(), stage.last().includes("346544")]).toEqual(["open", false]);
    stage.card.type("\r");
    expect(await stage.ended).toBe("hidden");
  });

  test("repaints the line that counts, and no other", () => {
    const stage = open();
    stage.pass(4);
    expect(stage.shown).toHaveLength(1);
    stage.pass(1);
    expect(stage.shown).toHaveLength(2);
    expect(stage.last()).toContain("Hides in 55 s");
    expect(stage.last()).not.toMatch(digit);
  });

  test("goes when its command is stopped: by the lock, or because a right is gone", async () => {
    const stage = open();
    stage.stop.abort();
    expect(await stage.ended).toBe("OperationStopped");
    expect(stage.last()).toContain("\u001b[?1049l");
  });

  test("of a session at its end is taken off by whoever says good-bye", async () => {
    const stage = open();
    stage.ending.isEnding = true;
    stage.stop.abort();
    await stage.ended;
    expect(stage.shown).toHaveLength(1);
    expect(stage.card.wiping()).toContain("\u001b[?1049l");
  });

  test("says what the server has to say in place of its help", () => {
    const stage = open();
    stage.card.notice("The server is shutting down.");
    expect(stage.last()).toContain("The server is shutting down.");
  });
});

describe("what is read back", () => {
  test("is judged at once, group by group, with blanks and hyphens or without", () => {
    const stage = open({ columns: 100, rows: 30 });
    const said: string[] = [];
    const type = (text: string): void => {
      stage.card.type(text);
      said.push(/Group \d: \d+ is wrong|Read back, group \d|All eight/.exec(stage.last())?.[0] ?? "");
    };
    type("346544");
    type("123456");
    type("198088");
    type("383-801 ");
    type("000011");
    type(groups.slice(2).join(""));
    expect(said).toEqual([
      "Read back, group 2",
      "Group 2: 123456 is wrong",
      "Group 2: 198088 is wrong",
      "Read back, group 3",
      "Group 3: 000011 is wrong",
      "All eight",
    ]);
  });

  test("is in no record, whatever it is", () => {
    const stage = open({ columns: 100, rows: 30 });
    stage.card.type("346544");
    stage.card.type("12345");
    stage.card.type("l");
    expect(stage.shown.join("")).toContain("12345_");
    stage.card.type("\r");
    expect(stage.shown.join("")).toContain("12345 is wrong");
    expect(stage.recorded.join("")).not.toMatch(/346544|12345/);
  });

  test("is taken back by Backspace and Ctrl-U, of the group under way only", () => {
    const stage = open();
    stage.card.type("34654438");
    stage.card.type("\u007f\u007f\u007f");
    expect(stage.last()).toContain("Read back, group 2: ______");
    stage.card.type("3838\u0015");
    expect(stage.last()).toContain("Read back, group 2: ______");
  });

  test("is judged at Enter too: so a digit that was left out is noticed in its group", () => {
    const stage = open({ columns: 100, rows: 30 });
    stage.card.type("34654\r");
    expect(stage.last()).toContain("Group 1: 34654 is wrong. Digits are");
    stage.card.type("346544\r383801\r");
    expect(stage.last()).toContain("Read back, group 3");
  });

  test("hides the key at the twentieth wrong group", async () => {
    const stage = open();
    for (let count = 0; count < 19; count += 1) stage.card.type("123456");
    expect(stage.end()).toBe("open");
    stage.card.type("123456");
    expect(await stage.ended).toBe("hidden");
  });
});
