import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import type { OpenRecord } from "../../server/audit/open-record.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { watchRecord, type RecordWatch } from "../../server/audit-review/watch-record.ts";
import { edit, openAt, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { pep, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { createMovingClock } from "../harness/moving-clock.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

/*
 * ATTACK   While the server is down, change what a start does not read: the contents of a transcript, at the same length. Or change it
 *          while the server runs, after its start was over.
 * DANGER   Sessions go on as if nothing had happened, until somebody thinks of `pep audit verify`, if ever.
 * EXPECT   The whole record is verified beside the sessions, and again each day. What is found is on the record and said to the operator and by doctor, and no
 *          session starts, after a restart neither, until the record was verified whole and holds.
 */

const inAudit = ({ dataDirectory }: Pick<MadeRecord, "dataDirectory">, name: string): string =>
  join(dataDirectory, "audit", name);

const verificationsIn = (events: readonly AuditEvent[]): string[] =>
  events.flatMap((event) => (event.type === "record-verification" ? [`${event.state} ${event.problems.join()}`] : []));

interface Watched {
  readonly watch: RecordWatch;
  readonly reported: string[];
  readonly record: OpenRecord;
  readonly end: () => Promise<void>;
}

/** As `pep serve` does it. */
const watched = async (made: MadeRecord, everyMs = 60_000): Promise<Watched> => {
  const record = await openAt(made);
  const reported: string[] = [];
  const watch = watchRecord({
    dataDirectory: made.dataDirectory,
    publicKey: made.publicKey.export({ type: "spki", format: "pem" }),
    log: record,
    foundBefore: record.foundBefore,
    runtime: testRuntime({ report: (problem) => void reported.push(problem) }),
    confirmMs: 1,
    againMs: 20,
    everyMs,
  });
  const end = async (): Promise<void> => {
    await watch.close();
    await record.close();
  };
  return { watch, reported, record, end };
};

const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });

test("a record that holds is verified without a word", async () => {
  const made = await smallRecord();
  const { watch, reported, end } = await watched(made);
  await watch.begin();
  expect(watch.problems()).toEqual([]);
  expect(reported).toEqual([]);
  await end();
  expect(verify(made).events).toBe(10);
});

test("what was changed is found, stays found over a restart, and is over only when the record holds again", async () => {
  const made = await smallRecord();
  const transcript = inAudit(made, "transcripts/S-2.cast");
  const original = readFileSync(transcript, "utf8");
  edit(transcript, (text) => text.replace("this", "that"));

  const first = await watched(made);
  void first.watch.begin();
  await expect
    .poll(() => first.watch.problems(), { timeout: 20_000 })
    .toEqual([expect.stringContaining("S-2.cast was changed")]);
  await expect.poll(() => verify(made).notices.join()).not.toContain("unsigned");
  expect(first.reported.join("\n")).toMatch(/does not hold, and no session starts: .*S-2\.cast.*pep audit verify/);
  await first.end();

  // Before anything was verified.
  const second = await watched(made);
  expect(second.watch.problems().join()).toContain("S-2.cast was changed");
  void second.watch.begin();
  writeFileSync(transcript, original);
  await expect.poll(() => second.watch.problems(), { timeout: 20_000 }).toEqual([]);
  await second.end();

  const third = await watched(made);
  expect(third.watch.problems()).toEqual([]);
  await third.end();
  expect(verify(made).problems).toEqual([]);
});

test("what is changed while the server runs is found by a later verification", async () => {
  const made = await smallRecord();
  const { watch, end } = await watched(made, 20);
  onTestFinished(end);
  await watch.begin();
  expect(watch.problems()).toEqual([]);
  edit(inAudit(made, "transcripts/S-2.cast"), (text) => text.replace("this", "that"));
  await expect.poll(() => watch.problems().join(), { timeout: 20_000 }).toContain("S-2.cast was changed");
});

test("that the record holds again is believed only where it was signed when it was written", async () => {
  const made = await smallRecord();
  edit(inAudit(made, "transcripts/S-2.cast"), (text) => text.replace("this", "that"));
  const first = await watched(made);
  void first.watch.begin();
  await expect.poll(() => first.watch.problems().length, { timeout: 20_000 }).toBe(1);
  await expect.poll(() => first.record.lastSeq()).toBe(11);
  await first.end();

  const last = readdirSync(inAudit(made, "log")).sort().at(-1) ?? "";
  const line = { seq: 12, at: new Date().toISOString(), uptimeMs: 1, server: "pep-1" };
  const event = { type: "record-verification", state: "passed", problems: [] };
  writeFileSync(inAudit(made, `log/${last}`), `${JSON.stringify({ ...line, event })}\n`, { flag: "a" });
  for (const _ of ["adopted now", "adopted before"]) {
    const next = await watched(made);
    expect(next.watch.problems().join()).toContain("S-2.cast was changed");
    await next.end();
  }
});

test("a record that can't be verified is none that holds", async () => {
  const made = await smallRecord();
  const { watch, end } = await watched(made);
  onTestFinished(end);
  renameSync(inAudit(made, "log"), inAudit(made, "log-elsewhere"));
  void watch.begin();
  await expect.poll(() => watch.problems().join(), { timeout: 20_000 }).toMatch(/could not be verified|can't be read/);
  renameSync(inAudit(made, "log-elsewhere"), inAudit(made, "log"));
  await expect.poll(() => watch.problems(), { timeout: 20_000 }).toEqual([]);
});

const answerOf = async (endpoint: Endpoint): Promise<number | null> =>
  (await endpoint.ssh("guest", "Get-Command")).status;

test("a server with such a record starts no session, and says so", { timeout: 180_000 }, async () => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  const before = await startEndpoint({ dataDirectory });
  const screen = before.terminal("guest", { columns: 80, rows: 24 });
  await screen.waitFor("guest@pep");
  screen.type("exit\r");
  expect(await screen.exited).toBe(0);
  before.signal("SIGTERM");
  expect(await before.exited).toBe(0);
  const [name = ""] = readdirSync(inAudit({ dataDirectory }, "transcripts"));
  edit(inAudit({ dataDirectory }, `transcripts/${name}`), (text) => text.replace("guest@pep", "quest@pep"));

  const after = await startEndpoint({ dataDirectory });
  await expect.poll(() => after.stderr(), { timeout: 60_000 }).toContain("no session starts");
  await expect.poll(() => verificationsIn(after.events())).toEqual([expect.stringContaining(`${name} was changed`)]);
  const refused = await after.ssh("guest", "Get-Command");
  expect(refused.status).toBe(254);
  expect(refused.stderr).toContain("The record does not hold, so no session starts. Tell your administrator.");
  const refusals = after.events().filter((event) => event.type === "request-refused");
  expect(refusals.map(({ reason }) => reason)).toEqual(["record damaged"]);
  const told = await pep(["doctor", "--data-dir", dataDirectory]);
  expect(told.stdout).toMatch(/^FAIL {2}record: It does not hold.*was changed/m);
  expect(told.status).toBe(1);
  after.signal("SIGTERM");
  expect(await after.exited).toBe(0);
  expect((await pep(["doctor", "--data-dir", dataDirectory])).stdout).toMatch(/^FAIL {2}record: /m);

  const again = await startEndpoint({ dataDirectory });
  expect(await answerOf(again)).toBe(254);
  edit(inAudit({ dataDirectory }, `transcripts/${name}`), (text) => text.replace("quest@pep", "guest@pep"));
  again.signal("SIGTERM");
  await again.exited;
  const repaired = await startEndpoint({ dataDirectory });
  await expect.poll(() => answerOf(repaired), { timeout: 60_000 }).toBe(0);
  const { stdout } = await pep(["doctor", "--data-dir", dataDirectory]);
  expect(stdout).toMatch(
    /^ok {4}record: All of it was verified once since the start, and held\. The last time was \d{4}-/m,
  );
});

test(
  "a server whose older lines were changed, which its start did not read, ends the same",
  { timeout: 180_000 },
  async () => {
    const dataDirectory = join(temporaryDirectory(), "pep");
    const clock = createMovingClock(-30 * 24 * 3_600_000);
    const before = await startEndpoint({ dataDirectory, wrapper: clock.wrapper });
    expect(await answerOf(before)).toBe(0);
    clock.set(0);
    expect(await answerOf(before)).toBe(0);
    await expect.poll(() => before.events().map(({ type }) => type)).toContain("log-summarized");
    before.signal("SIGTERM");
    expect(await before.exited).toBe(0);
    const [first = ""] = readdirSync(inAudit({ dataDirectory }, "log"));
    edit(inAudit({ dataDirectory }, `log/${first}`), (text) => text.replace('"Get-Command"', '"Get-Commend"'));

    const after = await startEndpoint({ dataDirectory });
    await expect.poll(() => after.stderr(), { timeout: 60_000 }).toContain("no session starts");
    expect(await answerOf(after)).toBe(254);
    after.signal("SIGTERM");
    expect(await after.exited).toBe(0);
    const verified = await pep(["audit", "verify", "--data-dir", dataDirectory]);
    expect(verified.stdout).toContain("are not those it was signed over");
  },
);
