import { copyFile, rename } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { RecoveryKey, RecoveryKeyQuery } from "../../server/command/site-database.ts";
import { collect, guid, inThreads, neverStopped, passwordRecord, textOf } from "./fixture.ts";
import { madeSites } from "./made-sites.ts";
import type { TestSite } from "./fixture.ts";

const newSite = madeSites();

/** One large computer, many small ones, volumes of several computers. */
const siteOf = async (keys: number): Promise<TestSite> => {
  const site = await newSite();
  await site.importRecords(
    Array.from({ length: keys }, (_, n) =>
      passwordRecord(n, {
        computerName: n % 3 === 0 ? "BIG" : `PC-${n % 97}`,
        volumeId: guid(`volume ${n % 211}`),
        lastUpdateTime: new Date(Date.UTC(2026, 0, 1 + (n % 365), n % 24, n % 60, 0, n % 1000)).toISOString(),
      }),
    ),
  );
  return site;
};

const neverInThreads = { reading: { inLine: { least: Infinity, most: Infinity } } } as const;
const fromTheThirdPage = { reading: { inLine: { least: 300, most: 300 }, threads: { most: 8 } } } as const;

const plain = (keys: readonly RecoveryKey[]): readonly object[] =>
  keys.map((key) => ({ ...key, recoveryKey: textOf(key), label: key.recoveryKey.label }));

/** What a thread runs instead of its own program: ready, and then what such a program must never do. */
const program = (onRequest: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(
      `import { parentPort } from "node:worker_threads";
       parentPort.on("message", () => { ${onRequest} });
       parentPort.postMessage({ kind: "ready" });`,
    )}`,
  );
const hangs = program("for (;;) {}");

describe("a walk that goes on in a thread", () => {
  const queries: readonly [string, RecoveryKeyQuery][] = [
    ["every key", {}],
    ["one large computer", { computerNames: ["big"] }],
    ["several computers", { computerNames: ["PC-1", "big", "none", "PC-2", "PC-4"] }],
    ["prefixes", { passwordIds: Array.from({ length: 900 }, (_, n) => guid(`key ${n * 2}`).slice(0, 8)) }],
    ["one kind of volume since a day", { volumeTypes: ["OperatingSystem"], since: new Date("2026-06-01") }],
    ["the newest of each volume", { latest: true }],
  ];

  test("gives the same keys in the same order wherever it was handed over", async () => {
    const site = await siteOf(1200);
    const inLine = await site.open(neverInThreads);
    const others = await Promise.all([fromTheThirdPage, inThreads].map((options) => site.open(options)));
    for (const [name, query] of queries) {
      const expected = await collect(inLine.readRecoveryKeys(query, neverStopped));
      expect(expected.length, name).toBeGreaterThan(200);
      for (const other of others) {
        const found = await collect(other.readRecoveryKeys(query, neverStopped));
        expect(plain(found), name).toEqual(plain(expected));
      }
    }
  });

  test("stays where it is when every thread is taken, and loses nothing", async () => {
    const site = await siteOf(1500);
    const database = await site.open({ reading: { inLine: { least: 0, most: 0 }, threads: { most: 1 } } });
    const all = await collect(database.readRecoveryKeys({}, neverStopped));
    const first = database.readRecoveryKeys({}, neverStopped)[Symbol.asyncIterator]();
    await first.next(); // and reads no more
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).resolves.toHaveLength(all.length);
    await first.return?.();
  });

  test("reads a few pages ahead of a slow reader, no more", async () => {
    const site = await siteOf(6000);
    const database = await site.open(inThreads);
    let fresh = 0;
    let seen = 0;
    for await (const keys of database.readRecoveryKeys({}, neverStopped)) {
      if (seen === 0) site.tamper("UPDATE RecoveryAndHardwareCore_Keys SET Disclosed = 1");
      seen += keys.length;
      fresh += keys.filter(({ disclosed }) => !disclosed).length;
    }
    // Those keys come again for each computer that has the volume, so all are more than 6,000 rows.
    expect(seen).toBeGreaterThan(6000);
    expect(fresh).toBeLessThanOrEqual(5 * 256);
  });

  test("does not go on in another file that was put in the place of the open one", async () => {
    const site = await siteOf(600);
    const database = await site.open(inThreads);
    await copyFile(site.file, `${site.file}.other`);
    await rename(`${site.file}.other`, site.file);
    await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
      category: "ResourceUnavailable",
      cause: { message: "another file was put in the place of the open one" },
    });
  });
});

describe("a thread that breaks", () => {
  test.each([
    ["ends", program("process.exit(3)"), "ended with 3"],
    ["throws", program('throw new Error("out of luck")'), "out of luck"],
    ["needs too much memory", program("const kept = []; for (;;) kept.push({ kept: [...kept] });"), "memory"],
    ["can't start", new URL("data:text/javascript,import 'no such package'"), "no such package"],
  ])("and %s is one failed command; what needs no thread goes on", async (_what, entry, cause) => {
    const site = await siteOf(600);
    const database = await site.open({ reading: { inLine: { least: 256, most: 256 }, threads: { entry } } });
    const broken = collect(database.readRecoveryKeys({}, neverStopped));
    await expect(broken).rejects.toMatchObject({
      category: "ResourceUnavailable",
      message: "The site database is not available.",
      cause: { message: expect.stringContaining(cause) as string },
    });
    const one = await collect(database.readRecoveryKeys({ passwordIds: [guid("key 1")] }, neverStopped));
    expect(new Set(one.map(({ passwordId }) => passwordId))).toEqual(new Set([guid("key 1")]));
  });

  test("and answers nothing is given up, and its place is free for another", async () => {
    const site = await siteOf(600);
    const database = await site.open({
      lockWaitMs: 0,
      reading: { inLine: { least: 0, most: 0 }, threads: { entry: hangs, most: 1, answerWithinMs: 50 } },
    });
    const attempt = (): Promise<unknown> =>
      collect(database.readRecoveryKeys({}, neverStopped)).then(
        () => "read",
        (error: unknown) => (error instanceof Error ? `${error.message} ${String(error.cause)}` : error),
      );
    await expect(attempt()).resolves.toContain("did not answer in 50 ms");
    // Stays on the server's own thread, and succeeds, until the one that hung is gone.
    await expect.poll(attempt).toContain("did not answer in 50 ms");
  });

  test("stops at once when its command is stopped, wherever it is", async () => {
    const site = await siteOf(600);
    const database = await site.open({ reading: { inLine: { least: 256, most: 256 }, threads: { entry: hangs } } });
    const stopping = new AbortController();
    const read = async (): Promise<void> => {
      for await (const keys of database.readRecoveryKeys({}, stopping.signal)) {
        if (keys.length > 0) setImmediate(() => stopping.abort());
      }
    };
    await expect(read()).rejects.toMatchObject({ category: "OperationStopped" });
  });

  test("ends with its database, also where it hangs", async () => {
    const site = await siteOf(600);
    const hanging = await site.open({ reading: { inLine: { least: 256, most: 256 }, threads: { entry: hangs } } });
    const failing = collect(hanging.readRecoveryKeys({}, neverStopped));
    await Promise.all([expect(failing).rejects.toMatchObject({ category: "ResourceUnavailable" }), hanging.close()]);
    const database = await site.open(inThreads);
    const reading = database.readRecoveryKeys({}, neverStopped)[Symbol.asyncIterator]();
    await reading.next();
    await database.close();
    const rest = async (): Promise<void> => {
      while ((await reading.next()).done !== true);
    };
    await expect(rest()).rejects.toMatchObject({ category: "ResourceUnavailable" });
  });
});
