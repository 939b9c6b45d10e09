/*
 * ATTACK  A user whose role requires approval asks, by exec, for one computer or key id after the other, and compares the answers: their
 *         words, their exit status, whether there is an answer at all.
 * DANGER  Without any approval they learn which computers and keys the site has, and the site database is asked two hundred times
 *         without one event that says so.
 * EXPECT  Each request is on the record before the site database is asked for its rows. The requester hears only that it was made, in the
 *         same words, whether there is such a computer, whether the database answers or not. What is not there is told to the approver.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { openElevationStore } from "../../server/authorization/elevation-store.ts";
import { Elevations } from "../../server/authorization/elevation.ts";
import { EndpointError } from "../../server/errors.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { createStage, idIn, rolesText } from "../harness/elevation-stage.ts";
import type { Stage } from "../harness/elevation-stage.ts";

const parameters = ["ComputerName", "RecoveryKeyId", "Since", "Reason", "Format", "raw"];
const pad = (number: number): string => String(number).padStart(4, "0");
/** The same but for its id, which is random. */
const told = ({ outcome, message, shown }: Awaited<ReturnType<Stage["run"]>>): string =>
  JSON.stringify([outcome.exitStatus, message, shown]).replace(
    /E-[0-9A-F]{10}|PC-\d{4}|ABCD\d{4}|\d{4}-\d\d-\d\dT[^"]*Z/g,
    "…",
  );
const requests = (stage: Stage): number =>
  stage.events().filter((event) => event.type === "elevation" && event.state === "requested").length;

/** Says how many requests were on the record whenever it was asked. */
const watched = (stage: Stage, site: SiteDatabase, onAsked: (onRecord: number) => void): SiteDatabase => ({
  ...site,
  countRecoveryKeys: (query, signal) => {
    onAsked(requests(stage));
    return site.countRecoveryKeys(query, signal);
  },
});

test("200 probes by exec learn nothing, and each is on the record before the database is asked", async () => {
  const stage = await createStage();
  stage.setRoles(rolesText({ parameters }));
  let asked = 0;
  const early: number[] = [];
  const site = createMemorySite(makeKeys(90)); // PC-0001 to PC-0030
  const answers = new Set<string>();
  let probes = 0;
  stage.setSite(
    watched(stage, site, (onRecord) => {
      asked += 1;
      if (onRecord < probes) early.push(probes);
    }),
  );
  for (let number = 1; number <= 100; number += 1) {
    for (const what of [`-ComputerName PC-${pad(number)}`, `-RecoveryKeyId ABCD${pad(number)}`]) {
      probes += 1;
      const answer = await stage.run("alice", `Get-RecoveryKeys ${what}`);
      answers.add(told(answer));
      if (probes % 20 > 0) await stage.run("dave", `Deny-Elevation ${idIn(answer.message)} -Comment no`);
    }
  }
  expect(answers.size).toBe(1);
  expect(requests(stage)).toBe(200);
  await expect.poll(() => asked).toBeGreaterThan(0);
  expect(early).toEqual([]);
});

test.each(["Get-RecoveryKeys -ComputerName", "Request-Elevation -Reason x 'Get-RecoveryKeys -ComputerName"])(
  "%s: a computer that is there and one that is not are answered alike, and shown alike to their requester",
  async (line) => {
    const stage = await createStage();
    const end = line.startsWith("Request") ? "'" : "";
    const there = told(await stage.run("alice", `${line} PC-0001${end}`));
    expect(told(await stage.run("alice", `${line} PC-9999${end}`))).toBe(there);
    const seen = async () => JSON.parse((await stage.run("dave", "Get-Elevation -Format json")).shown);
    await expect.poll(async () => (await seen()).map((row: { Rows: unknown }) => row.Rows)).toEqual([0, 3]);
    const own = JSON.parse((await stage.run("alice", "Get-Elevation -Format json")).shown);
    expect(own.map((row: Record<string, unknown>) => [row["Rows"], row["Finding"]])).toEqual([
      [null, null],
      [null, null],
    ]);
  },
);

test("the answer does not wait for the database, whatever it does", async () => {
  const stage = await createStage();
  const normally = told(await stage.run("alice", "Get-RecoveryKeys -ComputerName PC-0001"));
  const site = createMemorySite(makeKeys(6));
  const counts: (() => Promise<number>)[] = [
    () => new Promise(() => undefined),
    () => Promise.reject(new EndpointError("ResourceUnavailable", "The site database is not available.")),
    () => Promise.reject(new TypeError("a bug")),
    () => {
      throw new TypeError("a bug at once");
    },
    () => Promise.resolve(1_000_000),
  ];
  for (const [number, countRecoveryKeys] of counts.entries()) {
    stage.setSite({ ...site, countRecoveryKeys });
    stage.setRoles(rolesText({ maxRows: 10 }));
    expect(told(await stage.run("alice", `Get-RecoveryKeys -ComputerName PC-000${number + 2}`))).toBe(normally);
  }
  expect(requests(stage)).toBe(counts.length + 1);
});

test("what is not there, and what is more than the role shows, is told to the approver", async () => {
  const stage = await createStage();
  stage.setRoles(rolesText({ maxRows: 5 }));
  const missing = idIn((await stage.run("alice", "Get-RecoveryKeys -ComputerName PC-9999")).message);
  const many = idIn((await stage.run("alice", "Get-RecoveryKeys -raw")).message);
  const question = async (id: string) => (await stage.run("dave", `Approve-Elevation ${id} -Comment ok`)).message;
  expect(await question(missing)).toContain("at most 0 rows; No recovery key was found for computer PC-9999.");
  expect(await question(many)).toContain("at most 6 rows; The requester's role shows at most 5 rows at once");
  const estimated = stage.events().filter((event) => event.type === "elevation" && event.state === "estimated");
  expect(estimated).toMatchObject([
    { requestId: missing, ceiling: 0, finding: expect.stringContaining("PC-9999") },
    { requestId: many, ceiling: 6, finding: expect.stringContaining("at most 5 rows") },
  ]);
});

test("what was not counted can't be approved; asked for again, or decided again, it is counted", async () => {
  const stage = await createStage();
  const away: SiteDatabase = {
    ...createMemorySite([]),
    countRecoveryKeys: () =>
      Promise.reject(new EndpointError("ResourceUnavailable", "The site database is not available.")),
  };
  stage.setSite(away);
  const line = "Get-RecoveryKeys -raw";
  const id = await stage.ask("alice", line);
  const refused = await stage.approve(id);
  expect(refused.outcome.exitStatus).toBe(7);
  expect(refused.message).toContain("not counted");
  stage.setKeys(makeKeys(6));
  await stage.restart();
  expect((await stage.approve(id)).message).toContain("must be asked for again");
  expect(await stage.ask("alice", line)).toBe(id);
  expect((await stage.approve(id)).outcome.exitStatus).toBe(0);
  expect((await stage.run("alice", `${line} -RequestId ${id}`)).outcome).toMatchObject({ exitStatus: 0, rowCount: 6 });
});

test("where the request can't be recorded, nothing is counted and nobody has a request", async () => {
  const path = join(temporaryDirectory(), "elevation.ndjson");
  const elevations = new Elevations({
    store: await openElevationStore(path),
    log: { append: () => Promise.reject(new EndpointError("AuditUnavailable", "This could not be recorded.")) },
    now: () => new Date(),
    times: () => ({ requestMs: 60_000, approvalMs: 60_000 }),
    over: new Set(),
  });
  const party = { connectedUser: "alice", keyFingerprint: "SHA256:alice", origin: {} };
  let counts = 0;
  const count = async () => ({ ceiling: (counts += 1) });
  const asked = { command: "Get-RecoveryKeys", invocation: "Get-RecoveryKeys", digest: "d", count };
  await expect(elevations.request(asked, party)).rejects.toThrow("could not be recorded");
  await elevations.close();
  expect({ counts, own: elevations.own(party) }).toEqual({ counts: 0, own: [] });
});

test("who hangs up at once has made the request all the same, and its rows are counted", async () => {
  const stage = await createStage();
  const stop = new AbortController();
  const ran = stage.run("alice", "Get-RecoveryKeys -raw", { signal: stop.signal });
  stop.abort();
  await ran;
  await expect
    .poll(() => stage.events().flatMap((event) => (event.type === "elevation" ? [event.state] : [])))
    .toEqual(["requested", "estimated"]);
});
