import { afterEach, expect, test, vi } from "vitest";
import type { EndpointError } from "../../../server/errors.ts";
import type { Lease } from "../../../server/site-database/sql-server/pool.ts";
import { checkHealth } from "../../../server/site-database/sql-server/statements.ts";
import { neverStopped } from "../fixture.ts";
import { startNumberedSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

let site: StartedSite;
afterEach(() => site.dispose());

const withLease = async (work: (lease: Lease) => Promise<void>): Promise<void> => {
  site = await startNumberedSite(10);
  const database = await site.open();
  await database.connections.writes.use(neverStopped, work);
};

test("another answer than a statement asks for is refused, and the connection stays usable", () =>
  withLease(async ({ connection }) => {
    const other = { ...checkHealth(), columns: ["Something", "Else"] };
    await expect(connection.all(other, { signal: neverStopped })).rejects.toMatchObject({ category: "InvalidResult" });
    const [batch] = await connection.all(checkHealth(), { signal: neverStopped });
    expect(batch?.rows).toEqual([[1]]);
    expect(site.server.accepted()).toBe(1);
  }));

test("requests made at once go one after the other", () =>
  withLease(async ({ connection }) => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => connection.all(checkHealth(), { signal: neverStopped })),
    );
    expect(answers.map((batches) => batches[0]?.rows)).toEqual(Array.from({ length: 5 }, () => [[1]]));
  }));

test("a request stopped while it waits is never sent", () =>
  withLease(async ({ connection }) => {
    const stopping = new AbortController();
    const first = connection.all(checkHealth(), { signal: neverStopped });
    const second = connection.all(checkHealth(), { signal: stopping.signal });
    const before = site.server.requests().length;
    stopping.abort();
    await expect(second).rejects.toMatchObject({ category: "OperationStopped" });
    await first;
    expect(site.server.requests().length - before).toBeLessThanOrEqual(1);
  }));

test("somebody who waits for a connection can be stopped, and the next in line is served", async () => {
  site = await startNumberedSite(10);
  const database = await site.open({ poolSize: 1 });
  const { lease } = await database.connections.writes.lease(neverStopped);
  const stopping = new AbortController();
  const stopped = database.countRecoveryKeys({}, stopping.signal);
  const served = database.countRecoveryKeys({}, neverStopped);
  stopping.abort();
  await expect(stopped).rejects.toMatchObject({ category: "OperationStopped" });
  lease.release();
  await expect(served).resolves.toBe(10);
});

test("who waits too long for a connection is told that the database is busy", async () => {
  site = await startNumberedSite(10);
  const database = await site.open({ poolSize: 1, connectTimeoutMs: 200 });
  const { lease } = await vi.waitFor(() => database.connections.writes.lease(neverStopped));
  const failure: EndpointError = await database.countRecoveryKeys({}, neverStopped).then(
    () => Promise.reject(new Error("it was served")),
    (error: EndpointError) => error,
  );
  expect(failure).toMatchObject({ category: "ResourceUnavailable", message: expect.stringContaining("busy") });
  lease.release();
  await expect(vi.waitFor(() => database.countRecoveryKeys({}, neverStopped))).resolves.toBe(10);
});

test("a stop while connecting is heard at once, and the connection goes to the next", async () => {
  site = await startNumberedSite(10, { at: { login: "stall" } });
  const database = await site.open({ connectTimeoutMs: 1000 });
  const stopping = new AbortController();
  const waiting = database.countRecoveryKeys({}, stopping.signal);
  await vi.waitFor(() => expect(site.server.logins()).toHaveLength(1));
  stopping.abort();
  await expect(waiting).rejects.toMatchObject({ category: "OperationStopped" });
  site.server.setFaults({});
  await expect(vi.waitFor(() => database.countRecoveryKeys({}, neverStopped), { timeout: 10_000 })).resolves.toBe(10);
});
