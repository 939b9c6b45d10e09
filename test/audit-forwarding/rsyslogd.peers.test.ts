import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { hasRsyslogd, makeAuthority, seqOf, type Driver, type Received } from "../harness/rsyslogd.ts";
import { forward, receiverStage } from "./stage.ts";

type Stage = Awaited<ReturnType<typeof receiverStage>>;

// What is skipped here needs Debian's rsyslog with rsyslog-openssl or rsyslog-gnutls.
for (const driver of ["ossl", "gtls"] satisfies Driver[]) {
  test.skipIf(!hasRsyslogd(driver))(
    `rsyslogd (${driver}) receives every event, parsed, in order, as JSON`,
    async () => {
      const { rsyslogd, receiver } = await receiverStage(driver);
      await rsyslogd.start();
      const { record, cursorPath } = await forward(receiver);
      const reason = 'He said "no"] \\ <134>1\n= ü 漢 🔑';
      await record.append({
        type: "disclosure",
        connectedUser: "support",
        clientAddress: "192.0.2.1",
        invocationId: "I-1",
        command: "Get-RecoveryKeys",
        how: "exec",
        reason,
        keys: [{ keyId: "K", computerName: "PC-1" }],
      });
      await expect.poll(() => rsyslogd.received().length).toBeGreaterThanOrEqual(2);
      const [started, disclosed] = rsyslogd.received();
      expect(started).toMatchObject({ pri: "110", host: "pep-1", app: "pep", procid: "7", msgid: "server-started" });
      expect(started?.sd).toMatch(/^\[pep@32473 seq="1" log="pep-audit\/[0-9a-f]{16}"\]$/);
      expect(disclosed?.pri).toBe("108");
      expect(JSON.parse(disclosed?.msg ?? "")).toMatchObject({ seq: 2, event: { type: "disclosure", reason } });
      await expect.poll(() => JSON.parse(readFileSync(cursorPath, "utf8")).seq).toBeGreaterThanOrEqual(2);
      const seqs = rsyslogd.received().map(seqOf);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    },
  );
}

const missing = (received: readonly Received[], last: number): number[] => {
  const there = new Set(received.map(seqOf));
  return Array.from({ length: last }, (_, index) => index + 1).filter((seq) => !there.has(seq));
};

/** Each number once at least, and never one before those that precede it have come. */
const expectAllInOrder = (seqs: readonly number[], last: number): void => {
  let highest = 0;
  const jumps: string[] = [];
  for (const seq of seqs) {
    if (seq > highest + 1) jumps.push(`${highest} → ${seq}`);
    highest = Math.max(highest, seq);
  }
  expect(jumps).toEqual([]);
  expect(highest).toBe(last);
};

test.skipIf(!hasRsyslogd())(
  "nothing is missing when rsyslogd is killed again and again under load",
  async () => {
    const { rsyslogd, receiver } = await receiverStage();
    await rsyslogd.start();
    const { record, end } = await forward(receiver);
    const stopped = new AbortController();
    const load = Array.from({ length: 16 }, async (_, worker) => {
      while (!stopped.signal.aborted) {
        await record.append({ type: "server-stopped", reason: `worker ${worker} ${"x".repeat(200)}` });
      }
    });
    for (let kill = 0; kill < 10; kill += 1) {
      await pause(150 + 217 * (kill % 5)); // how long it lives is the test's input, not a wait for a condition
      await rsyslogd.kill("SIGKILL");
      await rsyslogd.start();
    }
    stopped.abort();
    await Promise.all(load);
    await expect
      .poll(() => rsyslogd.received().map(seqOf).includes(record.lastSeq()), { timeout: 60_000, interval: 500 })
      .toBe(true);
    await end();
    const seqs = rsyslogd.received().map(seqOf);
    const last = seqs.reduce((most, seq) => Math.max(most, seq), 0); // too many for one call's arguments
    expectAllInOrder(seqs, last);
    expect(new Set(seqs).size).toBe(last);
    expect(seqs.length).toBeGreaterThan(record.lastSeq()); // some were sent twice, or the kills did nothing
  },
  120_000,
);

const refusals = [
  {
    what: "our certificate is another authority's",
    change: async ({ directory }: Stage) => (await makeAuthority(directory, "other")).issue("pep.example.com"),
    says: /it closed the connection|it broke the connection off|ERR_SSL/,
  },
  {
    what: "our certificate is for another name",
    change: ({ authority }: Stage) => authority.issue("eve.example.com"),
    says: /it closed the connection|it broke the connection off|ERR_SSL/,
  },
  {
    what: "its certificate is for another name",
    change: () => ({ serverName: "other.example.com" }),
    says: /ERR_TLS_CERT_ALTNAME_INVALID/,
  },
  {
    what: "its certificate is another authority's",
    change: async ({ directory }: Stage) => ({ ca: (await makeAuthority(directory, "other")).ca }),
    says: /SELF_SIGNED|UNABLE_TO_VERIFY|unable to|CERT/,
  },
];

// With GnuTLS: rsyslog 8.2302 over OpenSSL finds a wrong name too, but takes the messages all the same.
for (const { what, change, says } of refusals) {
  test.skipIf(!hasRsyslogd("gtls"))(`nothing is sent, and the reason told, when ${what}`, async () => {
    const stage = await receiverStage("gtls");
    await stage.rsyslogd.start();
    const { record, reports, cursorPath } = await forward({ ...stage.receiver, ...(await change(stage)) });
    await expect.poll(() => reports.join("\n")).toMatch(says);
    expect(reports[0]).toMatch(/^syslog: 127\.0\.0\.1:\d+ can't be reached; events wait in the log, \d+ until now \(/);
    // The change is on the record itself.
    await expect.poll(() => record.lastSeq()).toBe(2);
    expect(stage.rsyslogd.received()).toEqual([]);
    expect(JSON.parse(readFileSync(cursorPath, "utf8")).seq).toBe(0);
  });
}

test.skipIf(!hasRsyslogd())(
  "a receiver that is away makes a warning, and its return another, both on the record",
  async () => {
    const { rsyslogd, receiver } = await receiverStage();
    const { record, reports } = await forward({ ...receiver, warnAfterEvents: 50 });
    await expect.poll(() => reports[0]).toMatch(/can't be reached.*\(nothing listens there\)/);
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => record.append({ type: "server-stopped", reason: String(index) })),
    );
    await expect.poll(() => reports[1]).toMatch(/20\d events have not arrived/);
    await rsyslogd.start();
    await expect.poll(() => reports[2], { timeout: 60_000 }).toMatch(/takes the record/);
    const states = (): unknown[] =>
      rsyslogd.received().flatMap(({ msgid, msg }) => (msgid === "forwarding" ? [JSON.parse(msg).event.state] : []));
    await expect.poll(() => [...new Set(states())]).toEqual(["disconnected", "lagging", "connected"]);
    await expect.poll(() => missing(rsyslogd.received(), record.lastSeq())).toEqual([]);
  },
  90_000,
);

test.skipIf(!hasRsyslogd())(
  "a receiver that hangs and is then killed had confirmed nothing that it had not read",
  async () => {
    const { rsyslogd, receiver } = await receiverStage();
    await rsyslogd.start();
    const { record, cursorPath } = await forward(receiver);
    // The second event says that the receiver is connected.
    await expect.poll(() => JSON.parse(readFileSync(cursorPath, "utf8")).seq).toBe(2);
    process.kill(rsyslogd.pid(), "SIGSTOP");
    for (let index = 0; index < 20; index += 1) await record.append({ type: "server-stopped", reason: String(index) });
    await pause(3000); // three times the time after which a receiver that lives is believed
    expect(JSON.parse(readFileSync(cursorPath, "utf8")).seq).toBe(2);
    await rsyslogd.kill("SIGKILL");
    await rsyslogd.start();
    await expect.poll(() => missing(rsyslogd.received(), record.lastSeq())).toEqual([]);
  },
);
