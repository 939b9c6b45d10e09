import { describe, expect, test } from "vitest";
import { createKeyDecoder } from "../../../ui/input/key-decoder.ts";
import { type LookUpState, openLookUp, pressLookUp, receiveCandidates } from "../../../ui/look-up/press-look-up.ts";
import { findIn } from "../../../ui/look-up/found.ts";
import { ageInWords } from "../../../ui/look-up/age.ts";
import type { UiCandidate, UiLookUp } from "../../../ui/protocol.ts";
import { at, candidate, candidates, reasons, rights } from "./fixtures.ts";

/** What a terminal sends, and what came of it: the state, and the effects. */
const type = (state: LookUpState, keys: string, own: UiLookUp = rights) => {
  const effects: unknown[] = [];
  let now = state;
  for (const event of createKeyDecoder().push(new TextEncoder().encode(keys))) {
    const { state: next, effect } = pressLookUp(now, event, own);
    now = next;
    if (effect !== undefined) effects.push(effect);
  }
  return { state: now, effects };
};

const fresh = openLookUp("", undefined);
const answered = (piece: string, rows: readonly UiCandidate[], message = "", state = fresh): LookUpState =>
  receiveCandidates({ ...state, piece, asked: piece }, { piece, at, rows, message });
const found = (state: LookUpState) => findIn(state.answers, state.piece, rights);
const up = "\u001b[A";
const down = "\u001b[B";
const line = (reason: string): object => ({
  type: "submit",
  line: `Get-RecoveryKeys -RecoveryKeyId ${candidate().keyId} -Reason '${reason}'`,
});

describe("what is asked", () => {
  test.each([
    ["3A7", "3A7"],
    ["3a78 b34b", "3a78b34b"],
    [" 3a78b34b ", "3a78b34b"],
    ["ab", undefined],
    ["PC*", undefined],
    ["", undefined],
  ])("%j asks %j", (piece, question) => {
    expect(findIn([], piece, rights).question).toBe(question);
  });

  test("a longer piece is answered by the shorter one, and asks nothing", () => {
    const { state, effects } = type(answered("3A78", candidates), "B34");
    expect(effects).toEqual([{ type: "changed" }]);
    expect(found(state)).toMatchObject({ rows: [candidate()], isAnswer: true, question: undefined });
  });

  test.each([
    ["the shorter one had more", answered("3A78", candidates, "There are more than these 3."), "B"],
    ["the shorter one was too short for a key id", answered("3A7", candidates), "8"],
    ["all of its rows fall away", answered("3A78", candidates), "0"],
    ["it has letters that a site may compare in its own way", answered("LAP", candidates), "ß"],
  ])("a longer piece is asked where %s", (_, before, more) => {
    const { state } = type(before, more);
    expect(found(state)).toMatchObject({ isAnswer: false, question: before.piece + more });
  });

  test("where nothing was found, a longer piece finds nothing, unasked", () => {
    expect(found(type(answered("3A78", []), "B").state)).toMatchObject({
      rows: [],
      isAnswer: true,
      question: undefined,
    });
  });

  test("a piece that was answered before is not asked again", () => {
    const { state } = type(answered("3A78", candidates), "0\u007f");
    expect(found(state)).toMatchObject({ rows: { length: 3 }, isAnswer: true, question: undefined });
  });

  test("an answer to an earlier piece changes nothing", () => {
    const waiting = { ...fresh, piece: "3A78B", asked: "3A78B" };
    expect(receiveCandidates(waiting, { piece: "3A78", at, rows: candidates, message: "" })).toBe(waiting);
  });

  test("what failed is asked again with Enter", () => {
    expect(type(answered("3A78", [], "The site database is not available."), "\r").effects).toEqual([{ type: "ask" }]);
  });
});

describe("candidates", () => {
  test("whose id begins with the piece come first, and of one computer the newest", () => {
    const older = candidate({ keyId: "11110000-3A78-4222-8333-0123456789AB", updated: "2020-01-01T00:00:00.000Z" });
    const rows = [older, ...candidates.toReversed()];
    expect(found(answered("3A78", rows)).rows.map(({ keyId }) => keyId.slice(0, 8))).toEqual([
      "3A78B34B",
      "77AA0001",
      "11110000",
      "09F00002",
    ]);
  });

  test.each([
    ["\r", candidates[0]],
    [`${down}\r`, candidates[1]],
    ["\t\t\r", candidates[2]],
    [`${down}${down}${down}${down}\r`, candidates[2]],
    [`${down}${up}${up}\r`, candidates[0]],
  ])("%j chooses", (keys, chosen) => {
    expect(type(answered("3A78", candidates), keys).state.reason?.candidate).toBe(chosen);
  });

  test("the chosen one stays chosen when others come in front of it", () => {
    const { state } = type(answered("3A78", candidates.slice(1)), down);
    const more = answered("3A7", candidates, "", state);
    expect(type(more, "\r").state.reason?.candidate).toBe(candidates[2]);
  });

  test("a paste with its line end chooses nothing", () => {
    const pasted = type(answered("3A78", candidates), "\u001b[200~B34B\r\n\u001b[201~");
    expect([pasted.state.piece, pasted.state.reason, pasted.effects]).toEqual([
      "3A78B34B",
      undefined,
      [{ type: "changed" }],
    ]);
  });

  test("Enter before an answer asks at once, and chooses nothing when it comes", () => {
    const early = type(fresh, "3A78");
    expect(type(early.state, "\r").effects).toEqual([{ type: "ask" }]);
    expect(answered("3A78", candidates, "", early.state).reason).toBeUndefined();
  });

  test.each(["\u0003", "\u0004", "\u0007", "\u001bOQ", "\u001b[12~", "\u001b[[B"])("%j closes", (keys) => {
    expect(type(answered("3A78", candidates), keys).effects).toEqual([{ type: "close" }]);
    expect(type(answered("3A78", candidates), `\r${keys}`).effects).toEqual([{ type: "close" }]);
  });

  test("a role that takes no reason shows the key at once", () => {
    const { minimumIdCharacters, minimumNameCharacters } = rights;
    const { effects } = type(answered("3A78", candidates), "\r", { minimumIdCharacters, minimumNameCharacters });
    expect(effects).toEqual([{ type: "submit", line: `Get-RecoveryKeys -RecoveryKeyId ${candidate().keyId}` }]);
  });
});

describe("a reason", () => {
  const asked = type(answered("3A78", candidates), "\r").state;
  const listed = { ...rights, reason: { offered: reasons, isNeeded: true, isListed: true } };

  test.each([
    ["4\r", line("Lost PIN")],
    ["lost p\r", line("Lost PIN")],
    ["pin\r", line("Lost PIN")],
    ["LOST PIN\r", line("Lost PIN")],
    ["lost\r", line("Lost startup key")],
    [`lost${down}\r`, line("Lost PIN")],
    [`lost${down}${down}\r`, line("lost")],
    [`${down}${down}\r`, line("BIOS changed")],
    ["4711\r", line("4711")],
    ["it's gone; | `x`\r", line("it''s gone; | `x`")],
    [`4${down}\r`, line("4")],
  ])("%j is taken", (keys, effect) => {
    expect(type(asked, keys).effects).toEqual([effect]);
  });

  test.each([
    ["\r", rights, "A reason is needed"],
    ["gone\r", listed, "not on the list"],
    ["9\r", listed, "not on the list"],
  ])("%j is none", (keys, own, problem) => {
    const { state, effects } = type(asked, keys, own);
    expect([effects, state.reason?.problem]).toEqual([[], expect.stringContaining(problem)]);
  });

  test("is left out with Enter alone, where the role lets it be", () => {
    const own = { ...rights, reason: { offered: reasons, isNeeded: false, isListed: false } };
    const [effect] = type(asked, "\r", own).effects;
    expect(effect).toEqual({ type: "submit", line: `Get-RecoveryKeys -RecoveryKeyId ${candidate().keyId}` });
  });

  test("of last time is offered, and never assumed", () => {
    const again = { ...asked, lastReason: "Ticket 4711" };
    expect(type(again, "\r").effects).toEqual([]);
    expect(type(again, `${down}\r`).effects).toEqual([line("Ticket 4711")]);
    expect(type(again, `${down}\r`, listed).effects).toEqual([line("Operating system boot order changed")]);
    expect(type(asked, "4\r").state.lastReason).toBe("Lost PIN");
  });

  test("is left with Esc, and the candidates are there again", () => {
    const decoder = createKeyDecoder();
    decoder.push(new TextEncoder().encode("\u001b"));
    const [escape] = decoder.flush();
    if (escape === undefined) throw new Error("no key");
    const { state, effect } = pressLookUp(asked, escape, rights);
    expect([state.reason, state.piece, effect]).toEqual([undefined, "3A78", undefined]);
    expect(pressLookUp(state, escape, rights).effect).toEqual({ type: "close" });
  });

  test("ends where the right to give one ends", () => {
    const { minimumIdCharacters, minimumNameCharacters } = rights;
    const { state, effects } = type(asked, "4", { minimumIdCharacters, minimumNameCharacters });
    expect([state.reason, effects]).toEqual([undefined, []]);
  });
});

test.each([
  ["2026-11-30T08:59:30.000Z", "new"],
  ["2026-12-01T00:00:00.000Z", "new"],
  ["2026-11-30T08:59:00.000Z", "1 minute"],
  ["2026-11-30T06:00:00.000Z", "3 hours"],
  ["2026-11-27T09:00:00.000Z", "3 days"],
  ["2026-11-09T09:00:00.000Z", "3 weeks"],
  ["2026-05-30T09:00:00.000Z", "6 months"],
  ["2020-11-30T09:00:00.000Z", "6 years"],
  ["", ""],
])("a key of %s is %j old", (updated, words) => {
  expect(ageInWords(updated, at)).toBe(words);
});
