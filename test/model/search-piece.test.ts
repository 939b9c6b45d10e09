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
  ["3A78 b34b", "3A78b34b", { name: "3A78b34b", keyId: "3A78B34B" }],
  ["3A78B34B 11F2  4C", "3A78B34B-11F2-4C", { name: "3A78B34B-11F2-4C", keyId: "3A78B34B-11F2-4C" }],
  ["Key ID: 3A78B34B", "3A78B34B", { name: "3A78B34B", keyId: "3A78B34B" }],
  ["-büro", "-büro", { name: "-büro", keyId: undefined }],
])("%s is %s, searched as %j", (typed, piece, read) => {
  expect(canonicalSearchPiece(typed)).toBe(piece);
  expect(readSearchPiece(piece, rule)).toEqual(read);
});

test.each([
  "",
  " ",
  "x b",
  "hr 0412",
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
