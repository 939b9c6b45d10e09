import { expect, test } from "vitest";
import { canonicalSearchPiece, readSearchPiece } from "../../server/model/search-piece.ts";

const rule = { minimumNameCharacters: 3, minimumIdCharacters: 4 };

test.each([
  ["PC-", "PC-", { name: undefined, keyId: undefined }],
  ["PC-12", "PC-12", { name: "PC-12", keyId: undefined }],
  ["abc", "abc", { name: "abc", keyId: undefined }],
  ["3a78", "3a78", { name: "3a78", keyId: "3A78" }],
  ["\u00A03A78\u20111B\u00A0", "3A78-1B", { name: "3A78-1B", keyId: "3A78-1B" }],
  ["{3A78B34B}", "{3A78B34B}", { name: "{3A78B34B}", keyId: "3A78B34B" }],
  ["-büro", "-büro", { name: "-büro", keyId: undefined }],
])("%s is %s, searched as %j", (typed, piece, read) => {
  expect(canonicalSearchPiece(typed)).toBe(piece);
  expect(readSearchPiece(piece, rule)).toEqual(read);
});

test.each([
  "",
  " ",
  "a b",
  "PC*",
  "PC?1",
  "%",
  "PC%1",
  "a[b]",
  "it's",
  'a"b',
  "a\\b",
  "a/b",
  "a\nb",
  "Ｐ",
  "x".repeat(65),
])("%j is no piece", (typed) => {
  expect(canonicalSearchPiece(typed)).toBeUndefined();
});
