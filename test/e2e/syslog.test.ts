import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { writeCursor } from "../../server/audit-forwarding/cursor.ts";
import { nameOfLog } from "../../server/audit-forwarding/log-name.ts";
import { findSegments } from "../../server/audit/log-lines.ts";
import { smallRecord } from "../audit-review/record.ts";
import { receiverStage } from "../audit-forwarding/stage.ts";
import { type Endpoint, launch, makeDemo, pep, startEndpoint } from "../harness/endpoint.ts";
import { hasRsyslogd, seqOf } from "../harness/rsyslogd.ts";
import { testRuntime } from "../harness/runtime.ts";
import { rounds } from "../harness/share.ts";

type Stage = Awaited<ReturnType<typeof receiverStage>>;

/** A demo's data directory whose endpoint.json names the receiver. */
const demoFor = async ({ directory, receiver }: Stage, more: object = {}): Promise<string> => {
  const dataDirectory = join(directory, "pep");
  await makeDemo(dataDirectory, { syslog: { ...receiver, ...more } });
  return dataDirectory;
};

const lastSeq = (endpoint: Endpoint): number => endpoint.events().length;
const cursorOf = (dataDirectory: string): number =>
  JSON.parse(readFileSync(join(dataDirectory, "state", "syslog-cursor"), "utf8")).seq;

test.skipIf(!hasRsyslogd())(
  "no event is missing at the SIEM when rsyslogd and the server are both killed while people work (needs rsyslog-openssl)",
  async () => {
    const stage = await receiverStage();
    const { rsyslogd } = stage;
    const dataDirectory = await demoFor(stage);
    await rsyslogd.start();
    let endpoint = await launch({ dataDirectory });
    onTestFinished(() => endpoint.end());
    for (let round = 0; round < rounds(3, 6); round += 1) {
      const work = Promise.all(
        [1, 2, 3].map((pc) =>
          endpoint.ssh("support", `Get-RecoveryKeys -ComputerName DEMO-PC-0${pc} -Reason 'Lost PIN'`),
        ),
      );
      await rsyslogd.kill("SIGKILL");
      await rsyslogd.start();
      for (const { status } of await work) expect(status).toBe(0);
      if (round === 1) {
        await endpoint.end(); // SIGKILL
        endpoint = await launch({ dataDirectory });
      }
    }
    const before = new Set(rsyslogd.received().map(seqOf));
    endpoint.signal("SIGTERM");
    expect(await endpoint.exited).toBe(0);
    const last = lastSeq(endpoint);
    expect(endpoint.events().at(-1)).toMatchObject({ type: "server-stopped" });
    if (!before.has(last)) {
      // It may have ended while the receiver was being started: the next start sends what is left.
      endpoint = await launch({ dataDirectory });
    }
    await expect.poll(() => cursorOf(dataDirectory), { timeout: 30_000 }).toBeGreaterThanOrEqual(last);
    await endpoint.end();
    const received = rsyslogd.received();
    const numbers = new Set(received.map(seqOf));
    expect(Array.from({ length: last }, (_, index) => index + 1).filter((seq) => !numbers.has(seq))).toEqual([]);
    expect(received.filter(({ msgid }) => msgid === "disclosure").length).toBeGreaterThanOrEqual(rounds(3, 6) * 3);
    // What arrived is what the log holds, and no recovery key is in it.
    const log = endpoint.events();
    for (const message of received) expect(JSON.parse(message.msg).event).toEqual(log[seqOf(message) - 1]);
    expect(received.map(({ msg }) => msg).join("\n")).not.toMatch(/\b\d{6}-\d{6}-\d{6}/);
  },
  120_000,
);

test.skipIf(!hasRsyslogd())("CEF arrives as CEF, with PEP's ids, and doctor tells how far it is", async () => {
  const stage = await receiverStage();
  const dataDirectory = await demoFor(stage, { format: "cef", enterpriseId: 4711 });
  await stage.rsyslogd.start();
  const endpoint = await startEndpoint({ dataDirectory });
  await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason 'Lost PIN'");
  const accessed = () => stage.rsyslogd.received().find(({ msg }) => msg.includes("|PrivilegedEndpointAccessed|"));
  await expect.poll(accessed).toBeDefined();
  expect(accessed()?.sd).toMatch(/^\[pep@4711 seq="\d+" log="/);
  expect(accessed()?.msg).toMatch(
    /^CEF:0\|pep\|pep\|[\d.]+\|Microsoft-AzureStack-PrivilegedEndpoint: 1000\|PrivilegedEndpointAccessed\|5\|rt=\d{13} .* suser=support Who=support/,
  );
  await expect.poll(() => cursorOf(dataDirectory)).toBeGreaterThan(5);
  const well = await pep(["doctor", "--data-dir", dataDirectory]);
  expect(well.stdout).toMatch(/^ok {4}syslog: 127\.0\.0\.1:\d+ accepts our certificate, and its own is right\.$/m);
  expect(well.stdout).toMatch(/^ok {4}syslog: 127\.0\.0\.1:\d+ is known to have events up to \d+ of \d+; \d+ are/m);
  await stage.rsyslogd.kill("SIGKILL");
  const away = await pep(["doctor", "--data-dir", dataDirectory]);
  expect(away.status).toBe(0);
  expect(away.stdout).toMatch(/^note {2}syslog: 127\.0\.0\.1:\d+ can't be used: nothing listens there$/m);
});

test("without its receiver the endpoint works, stops in time, and says once that it can't be reached", async () => {
  const stage = await receiverStage();
  const dataDirectory = await demoFor(stage);
  const endpoint = await startEndpoint({ dataDirectory });
  const { status } = await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason 'Lost PIN'");
  expect(status).toBe(0);
  await expect.poll(() => endpoint.stderr()).toMatch(/can't be reached; events wait in the log.*nothing listens there/);
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  expect(endpoint.stderr().match(/can't be reached/g)).toHaveLength(1);
  expect(cursorOf(dataDirectory)).toBe(0);
});

test("pruning takes what the receiver has, leaves the rest, and says so", async () => {
  const made = await smallRecord({
    segmentBytes: 1,
    runtime: testRuntime({ now: () => new Date("2026-01-01T00:00:00Z") }),
  });
  const { dataDirectory } = made;
  writeFileSync(join(dataDirectory, "log-key"), made.key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const log = join(dataDirectory, "audit", "log");
  const segments = findSegments(log);
  const cursor = join(dataDirectory, "state", "syslog-cursor");
  const has = (seq: number): Promise<void> => writeCursor(cursor, { log: nameOfLog(log) ?? "", seq });
  const prune = () => pep(["audit", "prune", "--before", "2026-02-01", "--data-dir", dataDirectory]);
  await has(0);
  const nothing = await prune();
  expect(nothing.status, nothing.stderr).toBe(0);
  expect(nothing.stdout).toContain("Nothing to prune");
  expect(nothing.stderr).toContain("events after 0 stay: the syslog receiver has not confirmed them.");
  expect(findSegments(log)).toEqual(segments);
  await has(4); // one event into the second session
  const some = await prune();
  expect(some.stderr).toContain("events after 4 stay: the syslog receiver has not confirmed them.");
  expect(some.stdout).toContain("Pruned events to 3 ");
  rmSync(cursor);
  const rest = await prune();
  expect(rest.stderr).toBe("");
  expect(Number(/Pruned events to (\d+)/.exec(rest.stdout)?.[1])).toBeGreaterThanOrEqual(9);
});

test("a receiver's file that is missing, a key that others may read, and an unsafe transport stop the start", async () => {
  const stage = await receiverStage();
  const dataDirectory = await demoFor(stage);
  const path = join(dataDirectory, "endpoint.json");
  const good = JSON.parse(readFileSync(path, "utf8"));
  const startWith = async (syslog: object): Promise<string> => {
    writeFileSync(path, JSON.stringify({ ...good, syslog: { ...good.syslog, ...syslog } }));
    const { status, stderr } = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
    expect(status).not.toBe(0);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    return stderr;
  };
  expect(await startWith({ ca: "/nowhere/ca.pem" })).toContain(
    "The syslog receiver's authority /nowhere/ca.pem can't be used: it is missing",
  );
  expect(await startWith({ transport: "tcp" })).toContain("syslog: ");
  expect(await startWith({ server: "siem.example.com/x" })).toContain(
    "syslog.server: must be a host name or an address",
  );
  chmodSync(stage.client.key, 0o644);
  expect(await startWith({})).toContain(
    `The syslog key ${stage.client.key} can't be used: others may read it; run: chmod 600 ${stage.client.key}`,
  );
});
