import { join } from "node:path";
import { expect, test } from "vitest";
import { breakDisk, whyNoBrokenDisk } from "../../harness/broken-disk.ts";
import { pep, startEndpoint, type Endpoint } from "../../harness/endpoint.ts";
import { expectNothingUnaccounted, findKeys, prepare, startExport, startScreen } from "../../harness/fault-load.ts";
import { verified, type Client } from "../../harness/fault-load.ts";
import { createMovingClock } from "../../harness/moving-clock.ts";
import { mountSmallDisk, whyNoSmallDisk } from "../../harness/small-disk.ts";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";

const noBrokenDisk = whyNoBrokenDisk();
if (noBrokenDisk !== undefined) console.warn(`The failing-disk tests are skipped: ${noBrokenDisk}.`);
const noSmallDisk = whyNoSmallDisk();
if (noSmallDisk !== undefined) console.warn(`The read-only test is skipped: ${noSmallDisk}.`);

const hourMs = 3_600_000;

/** Exports and a screen, all of them under way when it resolves. */
const startLoad = async (endpoint: Endpoint, name: string, exports: number): Promise<Client[]> => {
  const screen = startScreen(endpoint, `${name}-screen`);
  await expect.poll(screen.output).toContain("1 row");
  let received = 0;
  const count = (bytes: number): void => {
    received += bytes;
  };
  const clients = Array.from({ length: exports }, (_, n) => startExport(endpoint, `${name}-${n}`, count));
  await expect.poll(() => received, { interval: 5 }).toBeGreaterThan(0);
  return [screen, ...clients];
};

/*
 * ATTACK  The disk begins to fail under load: syncs, writes, or every other sync.
 * DANGER  A key is shown whose disclosure is not durable.
 * EXPECT  Every byte that arrived is on the record; clients end; after the disk is mended the endpoint goes on.
 */
test.skipIf(noBrokenDisk !== undefined).each([
  ["failing syncs", "fdatasync,fsync", undefined],
  ["failing writes", "pwrite64,pwritev,pwritev2", undefined],
  ["every other sync failing", "fdatasync", "2+2"],
])(
  "%s under load: nothing unaccounted, and it goes on once they work",
  { timeout: 180_000 },
  async (fault, calls, when) => {
    const dataDirectory = join(temporaryDirectory(), "pep");
    await prepare(dataDirectory, 20_000);
    const endpoint = await startEndpoint({ dataDirectory });
    const keys = await findKeys(endpoint);
    const clients = await startLoad(endpoint, "broken", 4);
    const mend = await breakDisk(endpoint.pid, calls, when);
    const late = [8, 9].map((n) => startExport(endpoint, `broken-${n}`));
    await Promise.all([...clients.slice(1), ...late].map(({ ended }) => ended));
    await mend();
    await expect.poll(async () => (await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
    expectNothingUnaccounted(fault, keys, [...clients, ...late], endpoint);
    endpoint.signal("SIGTERM");
    await endpoint.exited;
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);

test.skipIf(noSmallDisk !== undefined)(
  "a disk that becomes read-only under load: nothing unaccounted, and it goes on once it can be written",
  { timeout: 180_000 },
  async () => {
    const disk = mountSmallDisk(120);
    const dataDirectory = join(disk.path, "pep");
    await prepare(dataDirectory, 20_000);
    const endpoint = await startEndpoint({ dataDirectory });
    const keys = await findKeys(endpoint);
    const clients = await startLoad(endpoint, "read-only", 4);
    // The kernel refuses the remount while files are open for writing (EBUSY); a file system that goes bad does not ask.
    // So the writes are made to fail with what a read-only one answers.
    const mend = await breakDisk(endpoint.pid, "pwrite64,pwritev,ftruncate,openat", undefined, "EROFS");
    const late = startExport(endpoint, "read-only-late");
    await Promise.all([...clients.slice(1), late].map(({ ended }) => ended));
    await mend();
    await expect.poll(async () => (await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
    expectNothingUnaccounted("read-only disk", keys, [...clients, late], endpoint);
    endpoint.signal("SIGTERM");
    await endpoint.exited;
    disk.remount("ro");
    const refused = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
    expect(refused).toMatchObject({ status: 7, stdout: "" });
    expect(refused.stderr).toMatch(/^pep serve: EROFS: read-only file system.*$/m);
    disk.remount("rw");
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);

test(
  "a clock that jumps both ways under load: nothing unaccounted, no event out of order",
  { timeout: 180_000 },
  async () => {
    const dataDirectory = join(temporaryDirectory(), "pep");
    await prepare(dataDirectory, 5_000);
    const clock = createMovingClock(0);
    const endpoint = await startEndpoint({ dataDirectory, wrapper: clock.wrapper });
    const keys = await findKeys(endpoint);
    const clients: Client[] = [];
    const offsets = [0, 25 * hourMs, -25 * hourMs, 30 * 24 * hourMs, -366 * 24 * hourMs, 0];
    for (const [n, offset] of offsets.entries()) {
      clock.set(offset);
      const exports = [1, 2].map((m) => startExport(endpoint, `clock-${n}-${m}`));
      clients.push(...exports);
      if (n === 0) {
        const screen = startScreen(endpoint, "clock-screen");
        clients.push(screen);
        await expect.poll(screen.output).toContain("1 row");
      }
      expect(await Promise.all(exports.map(({ ended }) => ended))).toEqual([0, 0]);
    }
    expectNothingUnaccounted("jumping clock", keys, clients, endpoint, `${offsets.length - 1} jumps`);
    endpoint.signal("SIGTERM");
    expect(await endpoint.exited).toBe(0);
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);
