/*
 * ATTACK  A logged-in user runs commands with long parameters one after the other, or fills a screen as fast as it can be filled.
 * DANGER  113 MB of record a minute from exec, 5.4 MB in 7 s from one screen: the disk that everybody's record needs is full, and
 *         nobody gets a key any more.
 * EXPECT  Past `recordMiBPerHour` the user's sessions end and no further one starts, with a sentence that names the setting and a
 *         time. A fresh connection is of no use either, and a loop of them keeps its source out. Others go on. Log and doctor say it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pep, startEndpointWith, type Endpoint } from "../harness/endpoint.ts";
import { exec, logIn } from "../harness/ssh-attacker.ts";

const keyOf = (endpoint: Endpoint, user: string): string =>
  readFileSync(join(endpoint.dataDirectory, "demo", "keys", user), "utf8");

/** As long as a line may be, and a command: it stands on the record as it is. */
const longLine = `Get-RecoveryKeys -ComputerName ${Array.from({ length: 200 }, (_, index) => `DEMO-PC-${String(index).padStart(29, "X")}`).join(",")} -Reason INC-1`;

const usedUp =
  /You put 1 MiB on the record within an hour, which is the most \(recordMiBPerHour\)\. Go on in \d+ minutes\./;

test("a user who fills the record is stopped, and nobody else is", { timeout: 120_000 }, async () => {
  const endpoint = await startEndpointWith({ recordMiBPerHour: 1 });
  const screen = endpoint.terminal("support", { columns: 80, rows: 24 });
  await screen.waitFor("PS support@pep>");
  const flood = await logIn(endpoint.port, "support", keyOf(endpoint, "support"));
  let refused: Awaited<ReturnType<typeof exec>> | undefined;
  for (let tries = 0; tries < 400 && refused === undefined; tries += 1) {
    const answer = await exec(flood, longLine);
    if (answer.stderr.includes("recordMiBPerHour")) refused = answer;
  }
  expect(refused?.stderr).toMatch(usedUp);
  expect(refused?.status).toBe(5);
  expect(await screen.exited).toBe(5);
  expect(screen.scrollback()).toMatch(/recordMiBPerHour/);

  const anew = await endpoint.ssh("support", "Get-Command");
  expect(anew.status).toBe(255);
  expect(anew.stderr).toMatch(usedUp);
  expect(await endpoint.ssh("exporter", "Get-Command")).toMatchObject({ status: 0, stderr: "" });

  const events = endpoint.events();
  expect(events.filter(({ type }) => type === "budget-struck")).toEqual([
    { type: "budget-struck", connectedUser: "support", budget: "recordMiBPerHour", most: 1 },
  ]);
  expect(events).toContainEqual(expect.objectContaining({ type: "session-ended", reason: "record budget" }));
  expect(events).toContainEqual(expect.objectContaining({ type: "connection-dropped", guard: "recordMiBPerHour" }));
  const doctor = await pep(["doctor", "--data-dir", endpoint.dataDirectory]);
  expect(doctor.stdout).toMatch(/^note {2}budgets: Reached within a day: recordMiBPerHour 1 time \(support\)\.$/m);
});

test("connections that are of no use keep their source out for a while", { timeout: 120_000 }, async () => {
  const endpoint = await startEndpointWith({
    recordMiBPerHour: 1,
    perSourcePenaltyExemptList: [],
    perSourcePenalties: { refuseconnection: 20, noauth: 0 },
  });
  const flood = await logIn(endpoint.port, "support", keyOf(endpoint, "support"));
  let stopped = false;
  for (let tries = 0; tries < 400 && !stopped; tries += 1) {
    const { stderr } = await exec(flood, longLine);
    stopped = stderr.includes("recordMiBPerHour");
  }
  expect(stopped).toBe(true);
  expect((await endpoint.ssh("support", "Get-Command")).stderr).toMatch(usedUp);
  await expect
    .poll(() => endpoint.events())
    .toContainEqual(expect.objectContaining({ type: "source-penalised", offence: "refuseconnection" }));
  expect((await endpoint.ssh("support", "Get-Command")).stderr).not.toMatch(usedUp);
});

test("sessions that begin too quickly wait, and are on the record as such", { timeout: 120_000 }, async () => {
  const endpoint = await startEndpointWith({ sessionsPerMinute: 5 });
  const quick = await logIn(endpoint.port, "guest", keyOf(endpoint, "guest"));
  for (let count = 0; count < 6; count += 1) expect(await exec(quick, "Get-Command")).toMatchObject({ status: 0 });
  expect(endpoint.events().filter(({ type }) => type === "budget-struck")).toEqual([
    { type: "budget-struck", connectedUser: "guest", budget: "sessionsPerMinute", most: 5 },
  ]);
});
