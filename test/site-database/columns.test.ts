import { expect, test } from "vitest";
import { decodeTime } from "../../server/site-database/embedded/columns.ts";

const earliest = Date.parse("0000-01-01T00:00:00.000Z");
const latest = Date.parse("9999-12-31T23:59:59.999Z");

test("a time is written as ISO 8601 has it, in every year of four digits", () => {
  expect(decodeTime(earliest, "x")).toBe("0000-01-01T00:00:00.000Z");
  expect(decodeTime(latest, "x")).toBe("9999-12-31T23:59:59.999Z");
  expect(decodeTime(Date.parse("2024-02-29T12:34:56.789Z"), "x")).toBe("2024-02-29T12:34:56.789Z");
});

test("what is no such time is an error", () => {
  for (const raw of [earliest - 1, latest + 1, Number.MAX_SAFE_INTEGER, 0.5, Number.NaN, "2026-01-01", null, 5n])
    expect(() => decodeTime(raw, "LastUpdateTime")).toThrow("LastUpdateTime");
});
