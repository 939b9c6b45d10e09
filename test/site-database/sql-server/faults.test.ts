import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import type { SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { Faults } from "../../harness/tds-server/faults.ts";
import { statementNameOf } from "../../harness/tds-server/model-site.ts";
import type { TdsRequest } from "../../harness/tds-server/rpc.ts";
import { collect, disclosing, neverStopped } from "../fixture.ts";
import { leasedBy, startNumberedSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";
import { startCuttingProxy } from "./cutting-proxy.ts";

const sites: StartedSite[] = [];
afterEach(async () => {
  for (const site of sites.splice(0)) await site.dispose();
});

const start = async (rows: number): Promise<StartedSite> => {
  const site = await startNumberedSite(rows);
  sites.push(site);
  return site;
};

const readAll = (database: SqlServerSiteDatabase) => collect(database.readRecoveryKeys({}, neverStopped));

const failureOf = async (work: Promise<unknown>): Promise<EndpointError> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof EndpointError) return error;
    throw error;
  }
  throw new Error("nothing failed");
};

const logged = (error: EndpointError): string => (error.cause instanceof Error ? error.cause.message : "");

const reading = (request: TdsRequest): boolean => statementNameOf(request) === "read-keys-by-id";
const lost = "The connection to the site database was lost. Run the command again.";
const gone = "The site database is not available.";
const late = "The site database did not answer in time.";
const message = (number: number, text = "text of the server") => ({ number, message: text });

/** Each injected fault: what the user reads, and what the log must have. */
const table: readonly {
  readonly fault: string;
  readonly faults: Faults;
  readonly category: string;
  readonly reads: string;
  readonly log: RegExp;
}[] = [
  ...(["accept", "prelogin", "tls", "login"] as const).flatMap((stage) =>
    (["stall", "drop", "reset"] as const).map((kind) => ({
      fault: `${kind} at ${stage}`,
      faults: { at: { [stage]: kind } },
      category: "ResourceUnavailable",
      reads: gone,
      log: /^connecting: (ESOCKET|ETIMEOUT|ECONNRESET|ECLOSE)/,
    })),
  ),
  {
    fault: "a login refused",
    faults: { refuseLogins: { times: 1, errors: [message(18456, "Login failed for user 'pep'.")] } },
    category: "ResourceUnavailable",
    reads: gone,
    log: /SQL Server error 18456/,
  },
  {
    fault: "the server stalls before the first packet",
    faults: { query: { when: reading, does: "stall" } },
    category: "OperationTimeout",
    reads: late,
    log: /read-keys-by-id: no answer/,
  },
  {
    fault: "the server stalls after 300 rows, and ignores cancels",
    faults: { query: { when: reading, afterRows: 300, does: "stall" }, ignoreAttention: true },
    category: "OperationTimeout",
    reads: late,
    log: /read-keys-by-id: the server stalled/,
  },
  {
    fault: "the server waits after 300 rows",
    faults: { query: { when: reading, afterRows: 300, does: "wait" } },
    category: "OperationTimeout",
    reads: late,
    log: /read-keys-by-id: the server stalled/,
  },
  ...(["reset", "drop", "unknown token", "truncated row"] as const).map((does) => ({
    fault: `${does} after 300 rows`,
    faults: { query: { when: reading, afterRows: 300, does } },
    category: "ResourceUnavailable",
    reads: lost,
    log: /^read-keys-by-id: /,
  })),
  {
    fault: "an error after 300 rows",
    faults: { query: { when: reading, afterRows: 300, does: [message(1205)] } },
    category: "ResourceUnavailable",
    reads: "The site database is busy. Run the command again.",
    log: /read-keys-by-id: SQL Server error 1205/,
  },
  {
    fault: "permission denied",
    faults: { query: { when: reading, does: [message(229), message(8180)] } },
    category: "ResourceUnavailable",
    reads: "The endpoint may not do this in the site database; the log says what is missing.",
    log: /error 229.*error 8180/,
  },
  {
    fault: "an object is missing",
    faults: { query: { when: reading, does: [message(208)] } },
    category: "ResourceUnavailable",
    reads: "The site database is not as this endpoint knows it; the log says what is missing.",
    log: /error 208/,
  },
];

describe.each([
  ["TLS before the first byte", { encrypt: "strict" }],
  ["TLS inside TDS", { encrypt: true }],
])("with %s", (_, encrypt) => {
  test.each(table)(
    "$fault: the user reads why, the log has more, and the next command works",
    async ({ faults, category, reads, log }) => {
      const site = await start(1000);
      const database = await site.open({
        ...encrypt,
        connectTimeoutMs: 500,
        requestTimeoutMs: 300,
        stallTimeoutMs: 300,
      });
      if (faults.at === undefined && faults.refuseLogins === undefined)
        await database.countRecoveryKeys({}, neverStopped);
      site.server.setFaults(faults);
      const failure = await failureOf(readAll(database));
      expect(failure).toMatchObject({ category, message: reads });
      expect(logged(failure)).toMatch(log);
      expect(inspect(failure, { depth: 9 })).not.toMatch(/Geheim|\d{6}-\d{6}/);
      site.server.setFaults({});
      const keys = await vi.waitFor(() => readAll(database), { timeout: 10_000 });
      expect(keys).toHaveLength(1000);
      await vi.waitFor(() => expect(leasedBy(database)).toBe(0), { timeout: 10_000 });
    },
  );
});

test("answers arrive whole when the wire cuts them anywhere", async () => {
  const site = await start(60);
  for (const encrypt of ["strict", true]) {
    for (const bytesPerWrite of [1, 7]) {
      site.server.setFaults({ bytesPerWrite });
      const database = await site.open({ encrypt });
      expect(await readAll(database)).toHaveLength(60);
    }
  }
});

describe("a read whose connection is lost before its first row", () => {
  const breaking = (times: number, afterRows?: number): ((request: TdsRequest) => boolean) => {
    let left = times;
    return (request) => reading(request) && left-- > 0 && afterRows === undefined;
  };

  test("is tried again once, and nobody notices", async () => {
    const site = await start(700);
    const database = await site.open();
    await database.countRecoveryKeys({}, neverStopped);
    site.server.setFaults({ query: { when: breaking(1), does: "reset" } });
    const keys = await readAll(database);
    expect(new Set(keys.map((key) => key.passwordId)).size).toBe(700);
  });

  test("is not tried a third time", async () => {
    const site = await start(700);
    const database = await site.open();
    site.server.setFaults({ query: { when: reading, does: "reset" } });
    expect(await failureOf(readAll(database))).toMatchObject({ message: lost });
    expect(site.server.requests().filter(reading)).toHaveLength(2);
  });

  test("but a disclosure is not tried again: who knows what was marked?", async () => {
    const site = await start(5);
    const database = await site.open();
    const marking = (request: TdsRequest): boolean => statementNameOf(request).endsWith("GetRecoveryKey");
    site.server.setFaults({ query: { when: marking, does: "reset" } });
    expect(await failureOf(collect(disclosing(database, {}, "test", neverStopped)))).toMatchObject({
      message: lost,
    });
    expect(site.server.requests().filter(marking)).toHaveLength(1);
    site.server.setFaults({});
    expect(await collect(disclosing(database, {}, "test", neverStopped))).toHaveLength(5);
  });
});

describe("connections", () => {
  test("an idle one that is reset takes nothing with it", async () => {
    const site = await start(10);
    const proxy = await startCuttingProxy(site.server.port);
    try {
      const database = await site.open({ port: proxy.port });
      expect(await readAll(database)).toHaveLength(10);
      await vi.waitFor(() => expect(database.connections.searches.counts().idle).toBe(1));
      proxy.cut();
      await vi.waitFor(() => expect(database.connections.searches.counts().open).toBe(0));
      expect(await readAll(database)).toHaveLength(10);
    } finally {
      await proxy.close();
    }
  });

  test("are never more than the cap, and everybody is served", async () => {
    const site = await start(2000);
    const database = await site.open({ poolSize: 3 });
    const all = await Promise.all(Array.from({ length: 12 }, () => readAll(database)));
    expect(all.map((keys) => keys.length)).toEqual(Array(12).fill(2000));
    expect(site.server.accepted()).toBeLessThanOrEqual(3);
    await vi.waitFor(() => expect(leasedBy(database)).toBe(0));
  });

  test("while the server is known to be down, nobody waits and nobody connects", async () => {
    const site = await start(10);
    const database = await site.open({}, { backOff: { firstMs: 60_000, longestMs: 60_000 } });
    site.server.setFaults({ at: { accept: "reset" } });
    expect(await failureOf(readAll(database))).toMatchObject({ message: gone });
    const accepted = site.server.accepted();
    for (let i = 0; i < 5; i += 1) {
      const failure = await failureOf(readAll(database));
      expect(failure).toMatchObject({ category: "ResourceUnavailable", message: gone });
    }
    expect(site.server.accepted()).toBe(accepted);
  });

  test("one is given back when its reader stops coming, and the reader loses nothing when it comes again", async () => {
    const site = await start(5000);
    const database = await site.open({ poolSize: 1, stallTimeoutMs: 200 });
    const slow = database.readRecoveryKeys({}, neverStopped)[Symbol.asyncIterator]();
    const seen = (await slow.next()).value?.length ?? 0;
    // The only connection: this waits for it.
    await expect(vi.waitFor(() => database.countRecoveryKeys({}, neverStopped), { timeout: 5000 })).resolves.toBe(5000);
    const ids = new Set<string>();
    for (let step = await slow.next(); step.done !== true; step = await slow.next())
      for (const key of step.value) ids.add(key.passwordId);
    expect(ids.size + seen).toBe(5000);
    expect(leasedBy(database)).toBe(0);
  });

  test("a cancel reaches the server, and its connection is used again", async () => {
    const site = await start(100_000);
    const database = await site.open();
    const stopping = new AbortController();
    const iterator = database.readRecoveryKeys({}, stopping.signal)[Symbol.asyncIterator]();
    await iterator.next();
    stopping.abort();
    expect(await failureOf(iterator.next())).toMatchObject({ category: "OperationStopped" });
    expect(await iterator.next()).toMatchObject({ done: true });
    await vi.waitFor(() => expect(site.server.attentions()).toBe(1));
    expect(await database.countRecoveryKeys({}, neverStopped)).toBe(100_000);
    expect(site.server.accepted()).toBe(1);
  });

  test("leaving a loop early frees the connection", async () => {
    const site = await start(100_000);
    const database = await site.open({ poolSize: 1 });
    for (let i = 0; i < 3; i += 1) {
      for await (const batch of database.readRecoveryKeys({}, neverStopped)) {
        expect(batch.length).toBeGreaterThan(0);
        break;
      }
    }
    await vi.waitFor(() => expect(leasedBy(database)).toBe(0));
    expect(await database.countRecoveryKeys({}, neverStopped)).toBe(100_000);
  });
});
