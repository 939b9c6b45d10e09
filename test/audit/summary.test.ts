import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Checkpointer } from "../../server/audit/checkpointer.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import type { OpenRecord } from "../../server/audit/open-record.ts";
import { planPrune } from "../../server/audit/plan-prune.ts";
import { prune, prunedEvents } from "../../server/audit/prune.ts";
import { readRecentLog } from "../../server/audit/read-recent-log.ts";
import { readThrough } from "../../server/audit/read-through.ts";
import { signSummary } from "../../server/audit/summary.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { copyOf, emptyRecord, openAt, recordSession, type MadeRecord } from "../audit-review/record.ts";
import { readSummary, summarize, summarizedRecord } from "../audit-review/summarized.ts";
import { rounds } from "../harness/share.ts";

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });

/** What a start knows of a record before it writes. */
const read = async (made: MadeRecord) => {
  const directory = inAudit(made, "");
  const checkpointer = new Checkpointer({ directory, key: made.key, giveUpSpace: () => false });
  const { permissions, aborted, unnamed, recentBefore, ...found } = await readThrough(
    directory,
    checkpointer,
    undefined,
  );
  const recent = readRecentLog(inAudit(made, "log"), new Date(), recentBefore);
  const transcripts = join(copyOf(made).dataDirectory, "audit", "transcripts");
  return {
    wasSummarized: recentBefore !== undefined,
    recent,
    known: {
      ...found,
      root: checkpointer.tree.root().toString("base64"),
      counted: permissions.counted(checkpointer.provedSize),
      unnamed,
      removed: [...aborted.removeUnbegun(transcripts, unnamed)],
      aborted: await Array.fromAsync(aborted.close(transcripts, undefined)),
    },
  };
};

/** The same, as if there had never been a summary. */
const readAll = (made: MadeRecord): ReturnType<typeof read> => {
  const copy = copyOf(made);
  rmSync(inAudit(copy, "summaries"), { recursive: true, force: true });
  return read(copy);
};

const dice = (seed: number) => {
  let state = seed;
  return (sides: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % sides;
  };
};

const consumed = (requestId: string): AuditEvent => ({
  type: "elevation",
  state: "consumed",
  requestId,
  requester: "requester",
  requesterKey: "SHA256:x",
  command: "Get-RecoveryKeys",
  invocation: "Get-RecoveryKeys",
  invocationDigest: "x",
  expiresAt: new Date().toISOString(),
});

let sessions = 0;
const nextSession = (): string => `S-${(sessions += 1)}`;

/** Leaves the record as a crash does: a session without an end, lines behind the last checkpoint. */
const crash = async (made: MadeRecord, record: OpenRecord): Promise<MadeRecord> => {
  const sessionId = nextSession();
  const name = `${sessionId}.cast`;
  mkdirSync(inAudit(made, "transcripts"), { recursive: true });
  writeFileSync(inAudit(made, `transcripts/${name}`), `{"version":3}\n[0.1,"o","the last that was seen"]\n`);
  const session = { sessionId, connectedUser: "support", mode: "interactive", transcript: name } as const;
  await record.append({ type: "session-started", ...session });
  await record.append({ type: "connection-opened", clientSoftware: "x" });
  writeFileSync(inAudit(made, "transcripts/S-unbegun.cast"), `{"version":3}\n`);
  const copy = copyOf(made);
  await record.close();
  return copy;
};

const pruneOldest = async (made: MadeRecord, record: OpenRecord): Promise<void> => {
  await record.checkpoint();
  const { prunedBefore, problems } = verify(made);
  expect(problems).toEqual([]);
  const plan = planPrune(inAudit(made, "log"), Date.now() + 1000, record.lastSeq(), prunedBefore);
  if (plan.segments.length === 0) return;
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  const summaries = inAudit(made, "summaries");
  const kept = `${summaries}-kept`;
  if (existsSync(summaries)) cpSync(summaries, kept, { recursive: true });
  await prune(inAudit(made, ""), plan);
  // Not taken away, as a crash in the middle leaves it: it names what is no more.
  if (existsSync(kept)) cpSync(kept, summaries, { recursive: true });
  rmSync(kept, { recursive: true, force: true });
};

test("a start knows the same from a summary as from every line, whatever became of the record", async () => {
  let summarized = 0;
  for (let seed = 1; seed <= rounds(3, 12); seed += 1) {
    const roll = dice(seed);
    let made = emptyRecord();
    let record = await openAt(made, { segmentBytes: 700 + roll(900) });
    let counter = 0;
    let wasPruned = false;
    for (let step = 0; step < 14; step += 1) {
      const what = roll(8);
      if (what <= 2) await recordSession(record, made.dataDirectory, nextSession());
      else if (what === 3) {
        counter += 1;
        await record.append({ type: "site-written", counter, digest: `d${counter}`, keys: counter, links: 1 });
      } else if (what === 4) {
        await record.append(consumed(`E-${step}`));
      } else if (what === 5) await summarize(made, record);
      else if (what === 6) {
        await pruneOldest(made, record);
        wasPruned = true;
      } else {
        if (roll(2) === 0) made = await crash(made, record);
        else await record.close();
        const [bySummary, byLines] = [await read(made), await readAll(made)];
        expect(bySummary.known).toEqual(byLines.known);
        // What was shown within the hour is remembered, even if its lines are pruned by now.
        if (!wasPruned) expect(bySummary.recent).toEqual(byLines.recent);
        summarized += Number(bySummary.wasSummarized);
        record = await openAt(made, { segmentBytes: 700 + roll(900) });
      }
    }
    await record.close();
    expect(verify(made).problems).toEqual([]);
  }
  expect(summarized).toBeGreaterThan(0);
}, 240_000);

test("a summary is made of the one before, and only the newest stays", async () => {
  const made = await summarizedRecord();
  const [first] = readdirSync(inAudit(made, "summaries"));
  const record = await openAt(made, { segmentBytes: 900 });
  expect(record.recentBefore).toBeDefined();
  for (const sessionId of ["S-5", "S-6"]) await recordSession(record, made.dataDirectory, sessionId);
  await summarize(made, record);
  await record.close();
  const names = readdirSync(inAudit(made, "summaries"));
  expect(names).toHaveLength(1);
  expect(names).not.toEqual([first]);
  expect((await read(made)).known).toEqual((await readAll(made)).known);
  expect(verify(made).problems).toEqual([]);
});

test("a summary of the form before, without the lengths of transcripts, counts for nothing, and another is made", async () => {
  const made = await summarizedRecord();
  const [name = ""] = readdirSync(inAudit(made, "summaries"));
  const path = inAudit(made, `summaries/${name}`);
  const now = readSummary(path).summary;
  const transcripts = now.transcripts.map(([seq, file, digest]) => [seq, file, digest]);
  const text = JSON.stringify({ ...now, version: 1, transcripts });
  const digest = createHash("sha256").update(text).digest("hex");
  writeFileSync(path, `${signSummary(digest, made.key)}\n${text}`);
  const record = await openAt(made);
  await record.append({ type: "log-summarized", through: now.through, digest });
  await record.close();
  expect((await read(made)).wasSummarized).toBe(false);
  const next = await openAt(made);
  await summarize(made, next);
  await next.close();
  const after = readSummary(inAudit(made, `summaries/${readdirSync(inAudit(made, "summaries")).join()}`)).summary;
  expect(after).toMatchObject({ version: 2, transcripts: expect.arrayContaining(now.transcripts) });
  expect((await read(made)).wasSummarized).toBe(true);
});

test("a summary holds nothing that the log does not", async () => {
  const made = await summarizedRecord();
  const [name = ""] = readdirSync(inAudit(made, "summaries"));
  const text = readFileSync(inAudit(made, `summaries/${name}`), "utf8");
  expect(text).toContain("S-1.cast");
  expect(text).not.toContain("this is S-1");
});
