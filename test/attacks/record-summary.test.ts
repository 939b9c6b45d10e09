import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { leafHash } from "../../server/audit/merkle-tree.ts";
import { encodeSummary, type Summary } from "../../server/audit/summary.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { watchRecord } from "../../server/audit-review/watch-record.ts";
import { copyOf, edit, emptyRecord, openAt, recordSession, type MadeRecord } from "../audit-review/record.ts";
import { readSummary, summarize, summarizedRecord } from "../audit-review/summarized.ts";
import { testRuntime } from "../harness/runtime.ts";
import { shareOf } from "../harness/share.ts";

/*
 * ATTACK   A start goes on from a summary of the log's older segments, and reads only what came after. While the server is down, change what is not
 *          read; or change, forge, exchange or plant a summary, so that it stands for a record that is not there.
 * DANGER   The start signs what is left, and a disclosure, or what a user did, was never there.
 * EXPECT   A summary counts only where an event names it that was signed when it was written, on a log that is the signed one. Names and lengths are held
 *          against it at once, contents beside the sessions, which are stopped then. Where a summary does not count, everything is read.
 */

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const segmentsOf = (made: MadeRecord): string[] =>
  readdirSync(inAudit(made, "log"))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .map((name) => inAudit(made, `log/${name}`));
const middle = (made: MadeRecord): string => segmentsOf(made)[1] ?? "";
const summaryOf = (made: MadeRecord): string =>
  inAudit(made, `summaries/${readdirSync(inAudit(made, "summaries"))[0]}`);
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });

/** @returns whether the start went on from a summary */
const restart = async (made: MadeRecord): Promise<boolean> => {
  const record = await openAt(made);
  await record.close();
  return record.recentBefore !== undefined;
};

const refused = (words: string) => ({
  category: "AuditUnavailable",
  message: expect.stringMatching(words),
});

test("a start reads only what came after the last summary", async () => {
  const made = await summarizedRecord();
  expect(await restart(made)).toBe(true);
  expect(verify(made).problems).toEqual([]);
});

test("a segment in the middle that was changed, at the same length, is found beside the sessions, and stops them", async () => {
  const made = await summarizedRecord();
  edit(middle(made), (text) => text.replace("Lost PIN", "Lost pin"));
  const record = await openAt(made);
  const watch = watchRecord({
    dataDirectory: made.dataDirectory,
    publicKey: made.publicKey.export({ type: "spki", format: "pem" }),
    log: record,
    foundBefore: record.foundBefore,
    runtime: testRuntime({ report: () => undefined }),
    confirmMs: 1,
    againMs: 60_000,
    everyMs: 60_000,
  });
  onTestFinished(async () => {
    await watch.close();
    await record.close();
  });
  expect(record.recentBefore).toBeDefined();
  void watch.begin();
  await expect.poll(() => watch.problems().join(), { timeout: 20_000 }).toContain("are not those it was signed over");
});

const lengths: readonly (readonly [string, (made: MadeRecord) => void, string])[] = [
  ["shortened", (made) => truncateSync(middle(made), 700), "has 700 bytes, and a signed summary"],
  ["lengthened", (made) => appendFileSync(middle(made), "{}\n"), "a signed summary of the log says that it has"],
  ["taken away", (made) => rmSync(middle(made)), "is not there, and a signed summary"],
  [
    "exchanged for a link to its own lines",
    (made) => {
      const [path, copy] = [middle(made), inAudit(made, "copy")];
      cpSync(path, copy);
      rmSync(path);
      symlinkSync(copy, path);
    },
    "is not there, and a signed summary",
  ],
];

for (const [what, change, words] of shareOf(lengths, 2)) {
  test(`a start refuses at once a record of which a segment was ${what}`, async () => {
    const made = await summarizedRecord();
    change(made);
    await expect(restart(made)).rejects.toMatchObject(refused(words));
    await expect(restart(made)).rejects.toMatchObject(refused(words));
  });
}

const hashSegment = (path: string): void => {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  writeFileSync(path.replace(".ndjson", ".hashes"), Buffer.concat(lines.map((line) => leafHash(Buffer.from(line)))));
  rmSync(path);
};
const hashesOnly = "are hashes only .*no signed event says so";

const losses: readonly (readonly [string, (made: MadeRecord) => void, string])[] = [
  ["a transcript is missing", (made) => rmSync(inAudit(made, "transcripts/S-2.cast")), "S-2\\.cast is missing"],
  [
    "a transcript was cut",
    (made) => truncateSync(inAudit(made, "transcripts/S-2.cast"), 60),
    "S-2\\.cast is not as long as the one that was closed",
  ],
  [
    "a transcript was lengthened",
    (made) => appendFileSync(inAudit(made, "transcripts/S-2.cast"), "\n"),
    "S-2\\.cast is not as long as the one that was closed",
  ],
  [
    "a transcript was put in",
    (made) => writeFileSync(inAudit(made, "transcripts/S-7.cast"), `{"version":3}\n[0,"o","what nobody saw"]\n`),
    "S-7\\.cast belongs to no session on the record",
  ],
  ["hashes stand for lines", (made) => hashSegment(segmentsOf(made)[0] ?? ""), hashesOnly],
  [
    "hashes stand for a session, and its transcript is gone",
    (made) => {
      const end = segmentsOf(made).findIndex((path) =>
        readFileSync(path, "utf8").includes('"session-ended","sessionId":"S-1"'),
      );
      for (const path of segmentsOf(made).slice(0, end + 1)) hashSegment(path);
      rmSync(inAudit(made, "transcripts/S-1.cast"));
    },
    hashesOnly,
  ],
];

for (const [what, lose, words] of shareOf(losses, 2)) {
  test(`a start refuses a record where ${what}, though a summary stands for that part`, async () => {
    const made = await summarizedRecord();
    lose(made);
    await expect(restart(made)).rejects.toMatchObject(refused(`${words}[^]*pep audit accept-loss`));
  });
}

/** Without the second session, as somebody would have it who deletes its transcript. */
const withoutSecond = (summary: Summary): Summary => ({
  ...summary,
  transcripts: summary.transcripts.filter(([, name]) => name !== "S-2.cast"),
});

/** @returns what an event would have to say of it */
const forge = (made: MadeRecord): string => {
  const path = summaryOf(made);
  const { signature, summary } = readSummary(path);
  const { text, digest } = encodeSummary(withoutSecond(summary));
  writeFileSync(path, `${signature}\n${text}`);
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  return digest;
};

test("a summary that was changed counts for nothing", async () => {
  const made = await summarizedRecord();
  forge(made);
  await expect(restart(made)).rejects.toMatchObject(refused("S-2\\.cast is missing"));
});

test("a signed event that was changed so that it names a forged summary is found at once", async () => {
  const made = await summarizedRecord();
  const path = segmentsOf(made).find((file) => readFileSync(file, "utf8").includes("log-summarized")) ?? "";
  const digest = forge(made);
  edit(path, (text) => text.replace(/("log-summarized".*"digest":")\w+/, `$1${digest}`));
  await expect(restart(made)).rejects.toMatchObject(refused("not the one its checkpoint was signed over"));
});

test("a summary counts for nothing where the event that names it is behind the last checkpoint, or was adopted", async () => {
  const made = await summarizedRecord();
  const transcript = readFileSync(inAudit(made, "transcripts/S-2.cast"));
  const { through } = readSummary(summaryOf(made)).summary;
  const digest = forge(made);
  const last = segmentsOf(made).at(-1) ?? "";
  const seq = verify(made).events + 1;
  const line = { seq, at: new Date().toISOString(), uptimeMs: 1, server: "pep-1" };
  appendFileSync(last, `${JSON.stringify({ ...line, event: { type: "log-summarized", through, digest } })}\n`);
  await expect(restart(made)).rejects.toMatchObject(refused("S-2\\.cast is missing"));
  // Somebody puts the transcript back: the start adopts what it finds, and signs it.
  writeFileSync(inAudit(made, "transcripts/S-2.cast"), transcript);
  expect(await restart(made)).toBe(false);
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  await expect(restart(made)).rejects.toMatchObject(refused("S-2\\.cast is missing"));
});

test("a forged summary counts for nothing with checkpoints from before it, and the true one does no harm", async () => {
  const made = emptyRecord();
  const record = await openAt(made, { segmentBytes: 900 });
  for (const sessionId of ["S-1", "S-2", "S-3"]) await recordSession(record, made.dataDirectory, sessionId);
  await record.checkpoint();
  const before = copyOf(made);
  await summarize(made, record);
  await record.close();
  for (const name of ["checkpoint", "checkpoint-history"]) cpSync(inAudit(before, name), inAudit(made, name));
  const copy = copyOf(made);
  forge(copy);
  await expect(restart(copy)).rejects.toMatchObject(refused("S-2\\.cast is missing"));
  await restart(made);
  expect(verify(made).problems).toEqual([]);
});

test("the summary of another record counts for nothing, of the same key too", async () => {
  const made = await summarizedRecord();
  const other = { ...emptyRecord(), key: made.key, publicKey: made.publicKey };
  const record = await openAt(other, { segmentBytes: 900 });
  for (const sessionId of ["S-1", "S-3", "S-4"]) await recordSession(record, other.dataDirectory, sessionId);
  await summarize(other, record);
  await record.close();
  const own = summaryOf(made);
  rmSync(inAudit(made, "transcripts/S-2.cast"));
  for (const from of [summaryOf(other)]) cpSync(from, own);
  const last = segmentsOf(other).at(-1) ?? "";
  const announced = readFileSync(last, "utf8")
    .split("\n")
    .filter((text) => text.includes("log-summarized"));
  appendFileSync(segmentsOf(made).at(-1) ?? "", `${announced.join("\n")}\n`);
  await expect(restart(made)).rejects.toMatchObject(refused("The record is not whole"));
});

const planted: readonly (readonly [string, (path: string) => void])[] = [
  ["a pipe", (path) => void execFileSync("mkfifo", [path])],
  ["a link to a device", (path) => symlinkSync("/dev/zero", path)],
  [
    "a tebibyte of nothing",
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
  ],
  ["no JSON", (path) => writeFileSync(path, "[".repeat(100_000))],
  ["a summary of nothing", (path) => writeFileSync(path, "{}")],
  // JSON.parse needs a minute and a half for it, in which nobody hears a signal.
  ["what takes minutes to decode", (path) => writeFileSync(path, `${"A".repeat(86)}==\n${"[".repeat(100_000_000)}`)],
];

for (const [what, plant] of shareOf(planted, 2)) {
  test(`a start is not held up by ${what} in the place of a summary`, async () => {
    const made = await summarizedRecord();
    const path = summaryOf(made);
    rmSync(path);
    plant(path);
    expect(await restart(made)).toBe(false);
    expect(verify(made).problems).toEqual([]);
  });
}

test("of several summaries the newest counts that is ours", async () => {
  const made = await summarizedRecord();
  writeFileSync(inAudit(made, "summaries/999999999999.json"), readFileSync(summaryOf(made)));
  writeFileSync(inAudit(made, "summaries/000000000099.json"), "{}");
  expect(await restart(made)).toBe(true);
});
