import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { emptyRecord, openAt, type MadeRecord } from "../audit-review/record.ts";
import { summarize } from "../audit-review/summarized.ts";

const collected = (stored: number) =>
  ({
    type: "site-collected",
    invocationId: "I-1",
    connectedUser: "exporter",
    database: "embedded",
    stored,
    keys: stored,
    began: "2026-11-22T10:00:00.000Z",
  }) as const;
const known = (stored: number) => ({
  database: "embedded",
  stored,
  keys: stored,
  began: "2026-11-22T10:00:00.000Z",
});

const afterStart = async (made: MadeRecord): Promise<unknown> => {
  const record = await openAt(made);
  await record.close();
  return record.collection();
};

test("the last collection is known while it is written, after a start, and from a summary", async () => {
  const made = emptyRecord();
  const record = await openAt(made, { segmentBytes: 900 });
  expect(record.collection()).toBeUndefined();
  await record.append(collected(3));
  await record.append(collected(7));
  expect(record.collection()).toEqual(known(7));
  for (let more = 0; more < 10; more += 1) await record.append({ type: "connection-opened", clientSoftware: "x" });
  await record.close();
  expect(await afterStart(made)).toEqual(known(7));
  const again = await openAt(made);
  await summarize(made, again);
  await again.close();
  const summarized = await openAt(made);
  await summarized.close();
  expect(summarized.recentBefore).toBeDefined();
  expect(summarized.collection()).toEqual(known(7));
});

test("older rows that were accepted leave none", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await record.append(collected(3));
  const state = { counter: 5, digest: "digest", keys: 7, links: 8 };
  await record.append({ type: "site-restore-accepted", localUser: "root", ...state, wrongRows: 0 });
  expect(record.collection()).toBeUndefined();
  await record.close();
  expect(await afterStart(made)).toBeUndefined();
});

test("a line that nobody signed is none", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  await record.append(collected(3));
  await record.close();
  const log = join(made.dataDirectory, "audit", "log");
  const last = join(log, readdirSync(log).sort().at(-1) ?? "");
  const { seq, ...rest } = JSON.parse(readFileSync(last, "utf8").trimEnd().split("\n").at(-1) ?? "");
  appendFileSync(last, `${JSON.stringify({ seq: seq + 1, ...rest, event: collected(1000) })}\n`);
  expect(await afterStart(made)).toEqual(known(3));
});
