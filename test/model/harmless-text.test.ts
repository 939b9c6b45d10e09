import { expect, test } from "vitest";
import { findUnprintable, isNameWithoutTricks, printable, typable } from "../../server/model/harmless-text.ts";
import { inkless } from "./inkless.ts";

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
