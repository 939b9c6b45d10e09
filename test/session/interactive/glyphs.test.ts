import { expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import { glyphCapacity, Glyphs } from "../../../server/session/interactive/glyphs.ts";

const key = "135790-246801-999999-000000-123456-654321-111111-222222";

const read = (glyphs: Glyphs, run: string): string =>
  Array.from(run, (glyph) => glyphs.characterFor(glyph.codePointAt(0) ?? 0) ?? "").join("");

test("every character gets a code point of its own, in the two supplementary private-use planes", () => {
  const glyphs = new Glyphs();
  const all = Array.from({ length: 2383 }, (_, index) => glyphs.reveal(key, index)).join("");
  expect(new Set(all).size).toBe(2383 * 55);
  expect(all).toMatch(/^[\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}]*$/u);
});

test("when none is free the answer is a plain refusal", () => {
  const glyphs = new Glyphs();
  for (let index = 0; index < 2383; index += 1) glyphs.reveal(key, 1);
  expect(() => glyphs.reveal(key, 2)).toThrow(EndpointError);
  expect(() => glyphs.reveal(key, 2)).toThrow(/2383 keys/);
  expect(glyphs.hasRoomFor(key)).toBe(false);
  glyphs.release(1);
  expect(read(glyphs, glyphs.reveal(key, 2))).toBe(key);
});

test("a released code point is the last to be used again", () => {
  const glyphs = new Glyphs();
  const first = glyphs.reveal("a", 1);
  glyphs.release(1);
  for (let index = 1; index < glyphCapacity; index += 1) {
    expect(glyphs.reveal("b", index + 1)).not.toBe(first);
    glyphs.release(index + 1);
  }
  expect(glyphs.reveal("c", glyphCapacity + 1)).toBe(first);
});

test("releasing goes by answer: the older ones with it, the newer ones stay", () => {
  const glyphs = new Glyphs();
  const runs = [1, 2, 3].map((id) => glyphs.reveal(key, id));
  glyphs.release(2);
  expect(runs.map((run) => read(glyphs, run))).toEqual(["", "", key]);
});

test("what a terminal would obey is never behind a glyph", () => {
  const glyphs = new Glyphs();
  expect(read(glyphs, glyphs.reveal("1\u001b[\u009b\u0007é😀", 1))).toBe("1?[????");
});
