import { join } from "node:path";
import { expect, test } from "vitest";
import { root, run } from "../harness/endpoint.ts";
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

test.skipIf(missingForPeer().length > 0)(
  "every row of the benchmark runs on both sides, at its smallest",
  { timeout: 240_000 },
  async () => {
    const { status, stdout, stderr } = await run(process.execPath, [join(root, "test", "bench", "main.ts"), "--tiny"]);
    expect(status, stderr).toBe(0);
    for (const row of [
      "one key by exec",
      "ControlMaster",
      "first prompt",
      "sqlite3 on plain text",
      "SQL Server",
      "listening",
      "keystroke echo",
      "among 2,000 keys",
    ])
      expect(stdout).toContain(row);
    expect(stdout).not.toContain("NaN");
  },
);
