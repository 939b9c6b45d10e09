import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { rounds } from "../../harness/share.ts";
import { numberedKeyId } from "../../harness/tds-server/model/tables.ts";
import { neverStopped } from "../fixture.ts";
import { leasedBy, startNumberedSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";

const rows = 1500;
const kills = rounds(12, 50);

let site: StartedSite;
let proxy: CuttingProxy;
beforeAll(async () => {
  site = await startNumberedSite(rows);
  proxy = await startCuttingProxy(site.server.port);
});
afterAll(async () => {
  await site.dispose();
  await proxy.close();
});

/** xorshift32: the same kills each time, so that a failure can be seen again. */
const randomFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
};

interface Reading {
  readonly ids: readonly string[];
  readonly failure: unknown;
}

const read = async (database: SqlServerSiteDatabase): Promise<Reading> => {
  const ids: string[] = [];
  try {
    for await (const batch of database.readRecoveryKeys({}, neverStopped))
      ids.push(...batch.map((key) => key.passwordId));
    return { ids, failure: undefined };
  } catch (error) {
    return { ids, failure: error };
  }
};

const everyId = Array.from({ length: rows }, (_, i) => numberedKeyId(i));

test(`the server is killed ${kills} times mid-stream: what looks complete is complete, nothing hangs, nothing leaks`, async () => {
  const random = randomFrom(20_261_122);
  const outcomes = { complete: 0, failed: 0 };
  for (let kill = 0; kill < kills; kill += 1) {
    const database = await site.open(
      { port: proxy.port, encrypt: kill % 2 === 0 ? "strict" : true },
      { pageRows: 400 },
    );
    // Up to a little more than the whole answer has, so that the end and the moment after it are hit as well.
    proxy.cutAfter(Math.floor(random() * 500_000));
    const { ids, failure } = await read(database);
    // What came is a beginning of the whole: no gap, no row twice.
    expect(ids).toEqual(everyId.slice(0, ids.length));
    if (failure === undefined) {
      outcomes.complete += 1;
      expect(ids).toHaveLength(rows);
    } else {
      outcomes.failed += 1;
      expect(failure).toBeInstanceOf(EndpointError);
      expect(failure).toMatchObject({ category: "ResourceUnavailable" });
      expect(proxy.wasCut()).toBe(true);
    }
    proxy.cutAfter(Infinity);
    const again = await vi.waitFor(async () => {
      const next = await read(database);
      expect(next.failure).toBeUndefined();
      return next.ids;
    });
    expect(again).toEqual(everyId);
    await vi.waitFor(() => expect(leasedBy(database)).toBe(0));
    await database.close();
    expect(database.connections.searches.counts()).toEqual({ open: 0, idle: 0, leased: 0 });
  }
  await vi.waitFor(() => expect(site.server.connections()).toBe(0));
  // The seed must have hit both: a test in which nothing breaks shows nothing.
  expect(outcomes.failed).toBeGreaterThan(kills / 5);
  expect(outcomes.complete).toBeGreaterThan(0);
}, 120_000);
