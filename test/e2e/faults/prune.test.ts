import { cpSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pep, startEndpoint } from "../../harness/endpoint.ts";
import { createMovingClock } from "../../harness/moving-clock.ts";
import { mountSmallDisk, whyNoSmallDisk } from "../../harness/small-disk.ts";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";

const missing = whyNoSmallDisk();
if (missing !== undefined) console.warn(`The test of pruning on a full disk is skipped: ${missing}.`);

const dayMs = 24 * 3_600_000;
const daysAgo = (days: number): string => new Date(Date.now() - days * dayMs).toISOString();

/** A record with sessions of a month ago and of today. */
const recordOfAMonth = async (dataDirectory: string): Promise<void> => {
  const clock = createMovingClock(-30 * dayMs);
  const endpoint = await startEndpoint({ dataDirectory, wrapper: clock.wrapper });
  const screen = endpoint.terminal("support", { columns: 100, rows: 30 });
  await screen.waitFor("support@pep");
  screen.type("Get-RecoveryKeys -ComputerName DEMO-PC-01 -Format list\r");
  await screen.waitFor("1 row");
  screen.type("exit\r");
  expect(await screen.exited).toBe(0);
  expect((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).status).toBe(0);
  await expect.poll(() => endpoint.events().filter(({ type }) => type === "connection-closed").length).toBe(2);

  clock.set(0);
  expect((await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
};

const verify = (dataDirectory: string, kept: string) => {
  const elsewhere = ["--public-key", join(kept, "log-key.pub"), "--since-checkpoint", join(kept, "checkpoint")];
  return pep(["audit", "verify", "--data-dir", dataDirectory, ...elsewhere]);
};

/** Everything below a directory, with its permissions. */
const modesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
    const found = lstatSync(join(directory, name));
    return `${found.isDirectory() ? "directory" : "file"} ${(found.mode & 0o777).toString(8)}`;
  });

test("what is pruned leaves its hashes: proofs and receipts made before still hold", { timeout: 180_000 }, async () => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  await recordOfAMonth(dataDirectory);
  const kept = temporaryDirectory();
  const exported = await pep(["audit", "export", "--data-dir", dataDirectory, "--receipts", join(kept, "all")]);
  expect(exported.status, exported.stderr).toBe(0);
  cpSync(join(dataDirectory, "log-key.pub"), join(kept, "log-key.pub"));
  cpSync(join(dataDirectory, "audit", "checkpoint"), join(kept, "checkpoint"));
  expect((await verify(dataDirectory, kept)).stdout).toContain(" 0 problems.");

  const nothing = await pep(["audit", "prune", "--data-dir", dataDirectory, "--before", daysAgo(60)]);
  expect(nothing.stdout).toContain("Nothing to prune");
  const pruned = await pep(["audit", "prune", "--data-dir", dataDirectory, "--before", daysAgo(1)]);
  expect(pruned.status, pruned.stderr).toBe(0);
  expect(pruned.stdout).toMatch(/^Pruned events to \d+ and 1 transcripts; their hashes stay\.$/m);
  const log = readdirSync(join(dataDirectory, "audit", "log")).sort();
  expect(log[0]).toBe("000000000001.hashes");
  expect(log.length).toBeGreaterThan(1);
  expect(readdirSync(join(dataDirectory, "audit", "transcripts"))).toEqual([]);
  for (const name of log) {
    expect(readFileSync(join(dataDirectory, "audit", "log", name), "latin1")).not.toContain("DEMO-PC-01");
  }

  const after = await verify(dataDirectory, kept);
  expect(after.stdout).toContain(" 0 problems.");
  expect(after.status).toBe(0);
  for (const name of readdirSync(join(kept, "all"))) {
    const receipt = ["audit", "verify", "--receipt", join(kept, "all", name)];
    expect((await pep([...receipt, "--public-key", join(kept, "log-key.pub")])).status).toBe(0);
  }
  expect(readdirSync(join(kept, "all")).length).toBeGreaterThan(1);

  const modes = new Set(modesBelow(join(dataDirectory, "audit")));
  expect([...modes].sort()).toEqual(["directory 700", "file 600"]);

  const endpoint = await startEndpoint({ dataDirectory });
  expect((await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
});

test.skipIf(missing !== undefined).each(["runs", "is down"])(
  "on a disk filled to the last byte, while the server %s, pruning makes room, and is on the record",
  { timeout: 180_000 },
  async (server) => {
    const disk = mountSmallDisk(80);
    const dataDirectory = join(disk.path, "pep");
    await recordOfAMonth(dataDirectory);
    const endpoint = server === "runs" ? await startEndpoint({ dataDirectory }) : undefined;
    disk.fill(0);
    expect(disk.free()).toBe(0);
    if (endpoint !== undefined) {
      const refused = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
      expect(refused).toMatchObject({ status: 254, stdout: "" });
    }
    const pruned = await pep(["audit", "prune", "--data-dir", dataDirectory, "--before", daysAgo(1)]);
    expect(pruned.status, pruned.stderr).toBe(0);
    if (endpoint === undefined) expect(pruned.stderr).toContain("the space kept for rescue is used for this");
    const log = join(dataDirectory, "audit", "log");
    const lines = readdirSync(log).flatMap((name) => readFileSync(join(log, name), "utf8").split("\n"));
    expect(lines.filter((line) => line.includes('"type":"log-pruned"'))).toHaveLength(1);
    const verified = await pep(["audit", "verify", "--data-dir", dataDirectory]);
    expect(verified.stdout).toContain(" 0 problems.");
  },
);
