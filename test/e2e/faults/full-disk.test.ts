import { join } from "node:path";
import { expect, test } from "vitest";
import { makeDemo, pep, startEndpoint } from "../../harness/endpoint.ts";
import {
  account,
  findKeys,
  importKeys,
  printAccounts,
  startExport,
  startScreen,
  verified,
} from "../../harness/fault-load.ts";
import { mountSmallDisk, whyNoSmallDisk, type SmallDisk } from "../../harness/small-disk.ts";

const missing = whyNoSmallDisk();
if (missing !== undefined) console.warn(`The full-disk tests are skipped: ${missing}.`);

const MiB = 1024 * 1024;

/** A demo on a disk of its own, with a reserve that fits it. */
const startOn = async (disk: SmallDisk, keys = 20_000) => {
  const dataDirectory = join(disk.path, "pep");
  await makeDemo(dataDirectory, { auditReserveMiB: 16 });
  await importKeys(dataDirectory, keys);
  return { endpoint: await startEndpoint({ dataDirectory }), dataDirectory };
};

test.skipIf(missing !== undefined)(
  "below the reserve no session starts, below half of it running ones end, and with space again all works",
  { timeout: 120_000 },
  async () => {
    const disk = mountSmallDisk(80);
    const { endpoint, dataDirectory } = await startOn(disk, 10);
    const terminal = endpoint.terminal("support", { columns: 100, rows: 30 });
    await terminal.waitFor("support@pep");

    disk.fill(12 * MiB);
    const exec = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
    expect(exec).toMatchObject({ status: 254, stdout: "" });
    expect(exec.stderr).toBe(
      "AuditUnavailable: There is too little space left for the record, so no session starts. Tell your administrator.\n",
    );
    const shell = endpoint.terminal("guest", { columns: 100, rows: 30 });
    expect(await shell.exited).toBe(254);
    expect(shell.scrollback()).toContain("There is too little space left for the record");
    terminal.type("verify-cert\r");
    await terminal.waitFor(/BitLockerManagement_CERT|valid/i);
    expect(endpoint.stderr()).toMatch(/free space is \d+ MiB, its reserve 16 MiB: no session starts/);
    const doctor = await pep(["doctor", "--data-dir", dataDirectory]);
    expect(doctor.stdout).toMatch(/^FAIL {2}free-space: .*no session starts; .*pep audit prune/m);

    disk.fill(5 * MiB);
    expect(await terminal.exited).toBe(254);
    expect(terminal.scrollback()).toContain("There is too little space left for the record, so the session was ended.");

    disk.empty();
    await expect.poll(async () => (await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
    const events = endpoint.events();
    expect(events.flatMap((event) => (event.type === "storage" ? [event.state] : []))).toEqual([
      "low",
      "exhausted",
      "sufficient",
    ]);
    expect(events.filter((event) => event.type === "request-refused")).toMatchObject([
      { request: "exec", reason: "storage", connectedUser: "exporter" },
      { request: "shell", reason: "storage", connectedUser: "guest" },
    ]);
    const ended = events.find((event) => event.type === "session-ended" && event.exitStatus === 254);
    expect(ended).toMatchObject({ reason: "no space for the record", transcriptDigest: expect.any(String) });
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);

/*
 * ATTACK  Somebody fills the disk, to the last byte, while keys are being exported and shown on a screen.
 * DANGER  Keys are shown that the record could not take, or the record is left in pieces.
 * EXPECT  Every byte that arrived is on the record; sessions end with 254; the ends are on the record too.
 */
test.skipIf(missing !== undefined)(
  "a disk filled to the last byte under load: nothing unaccounted, and it goes on once there is room",
  { timeout: 120_000 },
  async () => {
    const disk = mountSmallDisk(80);
    const { endpoint, dataDirectory } = await startOn(disk);
    const keys = await findKeys(endpoint);
    let received = 0;
    const screen = startScreen(endpoint, "full-screen");
    await expect.poll(screen.output).toContain("1 row");
    const clients = [1, 2, 3, 4].map((n) => startExport(endpoint, `full-${n}`, (count) => (received += count)));
    await expect.poll(() => received, { interval: 5 }).toBeGreaterThan(0);
    disk.fill(0);
    const later = [5, 6].map((n) => startExport(endpoint, `full-${n}`));
    expect(await Promise.all(later.map(({ ended }) => ended))).toEqual([254, 254]);
    await Promise.all([...clients.map(({ ended }) => ended), screen.ended]);
    expect(await screen.ended).toBe(254);
    expect(later.map(({ output }) => output())).toEqual(["", ""]);
    disk.empty();
    await expect.poll(async () => (await endpoint.ssh("guest", "Get-Command")).status).toBe(0);
    const accounts = account(keys, [...clients, ...later, screen], endpoint.events());
    printAccounts("full disk", accounts);
    expect(accounts.shownBytes).toBeGreaterThan(1000);
    expect(accounts.unaccounted).toEqual([]);
    const open = endpoint.events().filter(({ type }) => type === "session-started").length;
    expect(endpoint.events().filter(({ type }) => type === "session-ended").length).toBe(open);
    expect(await verified(dataDirectory)).toContain(" 0 problems.");
  },
);
