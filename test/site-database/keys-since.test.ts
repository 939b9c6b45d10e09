import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { boundKeys } from "../../server/site-database/bound-keys.ts";
import { createSiteMaker, guid, neverStopped, passwordOf, passwordRecord } from "./fixture.ts";
import { startSite } from "./sql-server/start-site.ts";

interface Under {
  readonly database: SiteDatabase;
  /** Adds a key that its source stored then. */
  readonly add: (number: number, lastUpdateTime: string) => Promise<void>;
}

const maker = createSiteMaker();
afterAll(async () => (await maker).dispose());

const embedded = async (): Promise<Under> => {
  const site = await (await maker).make();
  onTestFinished(() => site.dispose());
  return {
    database: await site.open(),
    add: async (number, lastUpdateTime) =>
      void (await site.importRecords([passwordRecord(number, { lastUpdateTime })])),
  };
};

const sqlServer = async (): Promise<Under> => {
  const site = await startSite();
  onTestFinished(() => site.dispose());
  return {
    database: await site.open(),
    add: async (number, lastUpdateTime) =>
      site.model.add({
        keyId: guid(`key ${number}`),
        recoveryKey: passwordOf(number),
        computerName: `PC-${number}`,
        lastUpdateTime,
      }),
  };
};

const began = "2026-06-01T00:00:00.000Z";
const earlier = "2026-05-01T00:00:00.000Z";

describe.each([
  ["the embedded database", embedded],
  ["SQL Server", sqlServer],
])("%s", (_, make) => {
  test("counts keys that came after a collection, whatever time they have", async () => {
    const { database, add } = await make();
    for (const number of [1, 2, 3]) await add(number, earlier);
    const stored = await database.keysStored(neverStopped);
    if (stored === undefined) throw new Error("every key is seen here");
    expect(stored.keys).toBe(3);
    const collected = { database: stored.database, stored: 3, began };
    const since = (before: typeof collected | undefined) => database.keysSince(before, neverStopped);
    await expect(since(collected)).resolves.toEqual({ keys: 0, since: began });
    await expect(since(undefined)).resolves.toEqual({ keys: 3 });
    await add(4, earlier);
    await add(5, "2026-07-01T00:00:00.000Z");
    await expect(since(collected)).resolves.toEqual({ keys: 2, since: began });
    // What was collected elsewhere, or from more than is there now, says nothing of these keys.
    await expect(since({ ...collected, database: "another" })).resolves.toEqual({ keys: 5 });
    await expect(since({ ...collected, stored: 6 })).resolves.toEqual({ keys: 5 });
  });

  test("tells a role with bounds nothing of what it does not see", async () => {
    const { database, add } = await make();
    await add(1, earlier);
    const bounded = boundKeys(database, { computerName: { allows: () => true } });
    await expect(bounded.keysStored(neverStopped)).resolves.toBeUndefined();
    await expect(bounded.keysSince(undefined, neverStopped)).resolves.toEqual({ keys: 0 });
  });
});

test("SQL Server counts a newer key also where another was taken away", async () => {
  const { database, add } = await sqlServer();
  await add(1, earlier);
  await add(2, "2026-07-01T00:00:00.000Z");
  const stored = await database.keysStored(neverStopped);
  const collected = { database: stored?.database ?? "", stored: 2, began };
  await expect(database.keysSince(collected, neverStopped)).resolves.toEqual({ keys: 1, since: began });
});
