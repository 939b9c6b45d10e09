import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SiteState } from "../../server/audit/site-events.ts";
import { emptyRecord, openAt, recordSession, type MadeRecord } from "../audit-review/record.ts";
import { pep } from "../harness/endpoint.ts";
import { testRuntime } from "../harness/runtime.ts";

const state = (counter: number, digest = `digest ${counter}`): SiteState => ({ counter, digest, keys: 7, links: 8 });
const written = (counter: number, digest?: string) => ({ type: "site-written", ...state(counter, digest) }) as const;

const logOf = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "log");
const lastSegment = (made: MadeRecord): string => join(logOf(made), readdirSync(logOf(made)).sort().at(-1) ?? "");

/** As a crash leaves lines, or somebody who can write the file but has no key. */
const appendUnsigned = (made: MadeRecord, events: readonly object[]): void => {
  const lines = readFileSync(lastSegment(made), "utf8").trimEnd().split("\n");
  const { seq, ...rest } = JSON.parse(lines.at(-1) ?? "");
  const more = events.map((event, index) => `${JSON.stringify({ seq: seq + 1 + index, ...rest, event })}\n`);
  appendFileSync(lastSegment(made), more.join(""));
};

const stateAfterStart = async (made: MadeRecord): Promise<SiteState | undefined> => {
  const record = await openAt(made);
  await record.close();
  return record.siteState();
};

test("the newest state is known while it is written and after a start, by its number", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  expect(record.siteState()).toBeUndefined();
  for (const counter of [1, 2]) await record.append(written(counter));
  expect(record.siteState()).toEqual(state(2));
  await record.append({ type: "site-restore-accepted", localUser: "root", ...state(5), wrongRows: 0 });
  await record.append(written(3));
  expect(record.siteState()).toEqual(state(5));
  await record.close();
  await expect(stateAfterStart(made)).resolves.toEqual(state(5));
});

test("a state counts once it is signed, and that is before its writer hears of it", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await record.append(written(1));
  const [, size] = readFileSync(join(made.dataDirectory, "audit", "checkpoint"), "utf8").split("\n");
  expect(Number(size)).toBe(record.lastSeq());
  await record.close();
});

test("unsigned lines make no state newer, nor does adopting them", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await record.append(written(4));
  await record.close();
  appendUnsigned(made, [written(9), { type: "site-restore-accepted", localUser: "root", ...state(10), wrongRows: 0 }]);
  await expect(stateAfterStart(made)).resolves.toEqual(state(4));
  // Signed by now, as something that a start adopted.
  await expect(stateAfterStart(made)).resolves.toEqual(state(4));
});

test("pruning the line that says the state leaves the state", async () => {
  const made = emptyRecord();
  writeFileSync(join(made.dataDirectory, "log-key"), made.key.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  const record = await openAt(made, {
    segmentBytes: 900,
    runtime: testRuntime({ now: () => new Date("2026-01-10T00:00:00.000Z") }),
  });
  await record.append(written(6));
  for (const sessionId of ["S-1", "S-2", "S-3"]) await recordSession(record, made.dataDirectory, sessionId);
  await record.close();
  const { status, stderr } = await pep(["audit", "prune", "--before", "2026-02-01", "--data-dir", made.dataDirectory]);
  expect(status, stderr).toBe(0);
  const lines = readdirSync(logOf(made))
    .filter((name) => name.endsWith(".ndjson"))
    .flatMap((name) => readFileSync(join(logOf(made), name), "utf8").split("\n"));
  expect(lines.filter((line) => line.includes('"site-written"'))).toHaveLength(1);
  await expect(stateAfterStart(made)).resolves.toEqual(state(6));
});
