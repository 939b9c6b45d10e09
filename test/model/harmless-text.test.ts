import { expect, test } from "vitest";
import { findUnprintable, isNameWithoutTricks, printable, typable } from "../../server/model/harmless-text.ts";

/** Without ink: Hangul fillers, variation selectors, the joiner that joins nothing, tags, the braille blank. */
const inkless = [
  "\u115f",
  "\u1160",
  "\u3164",
  "\uffa0",
  "\u2800",
  "\u2d7f",
  "\u{1107f}",
  "\u{13441}",
  "\u{13442}",
  "\u{16fe4}",
  "\u{1d159}",
  "\ufe0f",
  "\ufe00",
  "\u{e0100}",
  "\u034f",
  "\u{e0041}",
  "\u00ad",
  "\u17b4",
  "\u180b",
  "\u200b",
  "\u2060",
  "\ufeff",
  "\u061c",
  "\u{1d173}",
  "\ue000",
];

test.each(inkless)("%j is in no name", (character) => {
  expect(isNameWithoutTricks(`PC-00${character}01`)).toBe(false);
});

test.each(["PC-0001", "büro-7", "日本語", "คอมพิวเตอร์", "ПК-1", "नमस्ते", "עברית"])("%s is a name", (name) => {
  expect(isNameWithoutTricks(name)).toBe(true);
  expect([printable(name), typable(name), findUnprintable(name)]).toEqual([name, name, undefined]);
});

test("an emoji may stand in a text that is only shown, or in a reason", () => {
  expect([printable("done ✔️"), typable("done ✔️"), findUnprintable("done ✔️")]).toEqual([
    "done ✔️",
    "done ✔️",
    undefined,
  ]);
});
