import { join } from "node:path";
import { expect, test } from "vitest";
import { root, run } from "../harness/endpoint.ts";
import { whole } from "../harness/share.ts";
import { compareTimes, mannWhitney } from "./compare-times.ts";
import { median, percentile, ratioOf, reached, spread, takeTurns } from "./compare.ts";
import { missingForPeer } from "./peer.ts";
import { tableOf } from "./report.ts";

test("sides take turns, and who goes first takes turns too", async () => {
  const order: string[] = [];
  const side = (name: string) => async (): Promise<string> => {
    order.push(name);
    return name;
  };
  const measured = await takeTurns(3, side("ours"), side("peer"));
  expect(order).toEqual(["ours", "peer", "peer", "ours", "ours", "peer"]);
  expect(measured).toEqual({ ours: ["ours", "ours", "ours"], peer: ["peer", "peer", "peer"] });
});

test("a ratio is the median of the rounds' own ratios, so a slow round of both sides changes nothing", () => {
  const outcome = {
    name: "row",
    unit: "ms",
    ours: [10, 1000, 12],
    peer: [40, 4000, 48],
    reach: { atMost: 0.25 },
  } as const;
  expect(ratioOf(outcome)).toBe(0.25);
  expect(reached(outcome)).toBe(true);
  expect(reached({ ...outcome, reach: { atLeast: 0.3 } })).toBe(false);
  expect(reached({ name: "alone", unit: "ms", ours: [600], reach: { atMost: 500 } })).toBe(false);
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), percentile([1, 2, 3, 4], 0.99), spread([1, 2, 3, 4])]).toEqual([
    2, 2.5, 4, 0.4,
  ]);
  expect(tableOf([outcome])).toContain("| row | 12.0 ms ± 4125 % | 48.0 ms ± 4125 % | 0.25  | ≤ 0.25 | yes     |");
});

test("times are held against each other by their ranks, and the row says what it would have seen", () => {
  // U = 0 of 25: z = 12.5 / sqrt(25 / 12 * 11).
  expect(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(0.00902, 4);
  expect(mannWhitney([1, 1, 1], [1, 1, 1])).toBe(1);
  const even = Array.from({ length: 200 }, (_, index) => 1 + (index % 20) / 100);
  const later = even.map((ms) => ms + 0.05);
  const alike = compareTimes(even, even.toReversed(), 0.01);
  expect(alike.differenceMs).toBe(0);
  expect(alike.pValue).toBeCloseTo(1, 6);
  expect(compareTimes(even, later, 0.01).pValue).toBeLessThan(0.01);
  expect(alike.smallestSeenMs).toBeGreaterThan(0.005);
  expect(alike.smallestSeenMs).toBeLessThan(0.05);
});

const everyRow = [
  "one key by exec",
  "ControlMaster",
  "first prompt",
  "sqlite3 on plain text",
  "SQL Server",
  "listening",
  "a hidden command, against an unknown command",
  "keystroke echo",
  "sessions at once",
  "without a session",
  "among 2,000 keys",
];

test.skipIf(missingForPeer().length > 0)(
  "the benchmark runs on both sides, at its smallest",
  { timeout: 240_000 },
  async () => {
    const some = whole ? [] : ["--rows", "one-key,echo"];
    const program = join(root, "test", "bench", "main.ts");
    const { status, stdout, stderr } = await run(process.execPath, [program, "--tiny", ...some]);
    expect(status, stderr).toBe(0);
    for (const row of whole ? everyRow : ["one key by exec", "keystroke echo"]) expect(stdout).toContain(row);
    expect(stdout).not.toContain("NaN");
  },
);
