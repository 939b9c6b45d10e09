import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeTime } from "../../server/site-database/embedded/columns.ts";

const earliest = Date.parse("0000-01-01T00:00:00.000Z");
const latest = Date.parse("9999-12-31T23:59:59.999Z");

test("a time is written as toISOString writes it, in every year of four digits", () => {
  const dayMs = 86_400_000;
  for (let year = 0; year <= 9999; year += 1) {
    // Where calendars go wrong: around the end of February and of the year. The years of two leap cycles have every day.
    const newYear = Date.parse(`${String(year).padStart(4, "0")}-01-01T00:00:00.000Z`);
    const days =
      year >= 1896 && year <= 2104 ? Array.from({ length: 366 }, (_, day) => day) : [0, 58, 59, 60, 364, 365];
    for (const day of days) {
      for (const moment of [newYear + day * dayMs, newYear + (day + 1) * dayMs - 1]) {
        if (moment > latest) continue;
        const expected = new Date(moment).toISOString();
        // Not expect() for each: a hundred thousand of them take a while.
        if (decodeTime(moment, "x") !== expected) expect(decodeTime(moment, "x")).toBe(expected);
      }
    }
  }
  fc.assert(
    fc.property(fc.integer({ min: earliest, max: latest }), (moment) => {
      expect(decodeTime(moment, "x")).toBe(new Date(moment).toISOString());
    }),
  );
});

test("what is no such time is an error", () => {
  for (const raw of [earliest - 1, latest + 1, Number.MAX_SAFE_INTEGER, 0.5, Number.NaN, "2026-01-01", null, 5n])
    expect(() => decodeTime(raw, "LastUpdateTime")).toThrow("LastUpdateTime");
});
