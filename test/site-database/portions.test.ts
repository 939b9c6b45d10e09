import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { inPortions } from "../../server/site-database/embedded/portions.ts";

const portionsOf = (rows: string): readonly (readonly [number, number])[] => {
  const database = new DatabaseSync(":memory:");
  database.exec(`CREATE TABLE numbers (Id INTEGER PRIMARY KEY); INSERT INTO numbers ${rows}`);
  const count = database.prepare("SELECT count(*) AS rows FROM numbers WHERE Id > ? AND Id <= ?");
  const portions: (readonly [number, number])[] = [];
  inPortions(database, "numbers", "Id", (after, upTo) => {
    portions.push([Number(count.get(after, upTo)?.["rows"]), upTo]);
  });
  database.close();
  return portions;
};

test("each row is in one portion, and no portion is of more than 4,096", () => {
  const every7th = "WITH RECURSIVE n(x) AS (SELECT -70 UNION ALL SELECT x + 7 FROM n LIMIT 10000) SELECT x FROM n";
  const portions = portionsOf(every7th);
  expect(portions.map(([rows]) => rows)).toEqual([4096, 4096, 1808]);
  expect(portions.at(-1)?.[1]).toBe(-70 + 9999 * 7);
});

test("an empty table has no portion", () => {
  expect(portionsOf("SELECT 1 WHERE false")).toEqual([]);
});
