import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { planPrune } from "../../server/audit/plan-prune.ts";
import { prune, prunedEvents } from "../../server/audit/prune.ts";
import { openAt, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { testRuntime } from "../harness/runtime.ts";

/*
 * ATTACK   With the account of the server, but without its key, hand the running server a log-pruned that says more than a pruning
 *          may: a date to come, lines that are not older, a segment from the middle. Or put another file in the place of one that
 *          a signed event named.
 * DANGER   The event is signed, so what it takes away looks as if it had been allowed.
 * EXPECT   verify judges the event itself: whole segments from the beginning, all of them older than its date, which is past. What
 *          is there still is the file that was named; a start refuses another.
 */

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });

/** Of an hour ago. */
const oldRecord = (): Promise<MadeRecord> =>
  smallRecord({ segmentBytes: 1, runtime: testRuntime({ now: () => new Date(Date.now() - 60 * 60_000) }) });

/** Everything but the last segment, as the server would sign it now. */
const pruning = (made: MadeRecord) => {
  const plan = planPrune(inAudit(made, "log"), Date.now(), 10, verify(made).prunedBefore);
  const [event] = prunedEvents(plan, "root", new Date());
  if (event === undefined || plan.segments.length < 2) throw new Error("there is nothing to prune");
  return { plan, event };
};

type Pruned = ReturnType<typeof pruning>["event"];

const tooMuch: readonly (readonly [string, (event: Pruned) => Pruned, string])[] = [
  ["a date to come", (event) => ({ ...event, before: "2999-01-01T00:00:00.000Z" }), "which was not past"],
  ["lines that are not older", (event) => ({ ...event, before: "2020-01-01T00:00:00.000Z" }), "not before 2020"],
  ["a segment from the middle", (event) => ({ ...event, segments: event.segments.slice(1) }), "but not all before it"],
];

for (const [what, change, words] of tooMuch) {
  test(`a signed log-pruned of ${what} is a problem`, async () => {
    const made = await oldRecord();
    const { event } = pruning(made);
    const record = await openAt(made);
    await record.append(change(event));
    await record.close();
    expect(verify(made).problems.join("\n")).toContain(words);
  });
}

test("a pruned transcript that is put back is the one that was named, or a problem", async () => {
  const made = await oldRecord();
  const path = inAudit(made, "transcripts/S-1.cast");
  const kept = readFileSync(path);
  const { plan, event } = pruning(made);
  const record = await openAt(made);
  await record.append(event);
  await prune(inAudit(made, ""), plan);
  await record.close();
  expect(verify(made).problems).toEqual([]);

  writeFileSync(path, kept);
  await (await openAt(made)).close();
  expect(verify(made).problems).toEqual([]);
  expect(verify(made).notices.join("\n")).toContain("S-1.cast was pruned, on the record, and is there still");

  writeFileSync(path, `{"version":3}\n[0,"o","what nobody saw"]\n`);
  expect(verify(made).problems.join("\n")).toContain("S-1.cast is not the one of its name that was pruned");
  await expect(openAt(made)).rejects.toMatchObject({ message: expect.stringContaining("S-1.cast") });
});

test("a torn line that was kept is the one that a signed event named", async () => {
  const made = await oldRecord();
  const newest = readdirSync(inAudit(made, "log")).sort().at(-1) ?? "";
  const segment = inAudit(made, `log/${newest}`);
  appendFileSync(segment, '{"seq":11,"at":');
  const record = await openAt(made);
  await record.close();
  expect(verify(made).problems).toEqual([]);
  const [, kept = ""] = /"keptAs":"([^"]+)"/.exec(readFileSync(segment, "utf8")) ?? [];
  writeFileSync(inAudit(made, `log/${kept}`), '{"seq":11,"no":');
  expect(verify(made).problems.join("\n")).toContain("is not the torn line that event");
});
