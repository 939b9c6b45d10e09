import { createPrivateKey, createPublicKey } from "node:crypto";
import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { leafHash } from "../../server/audit/merkle-tree.ts";
import { openAt, type MadeRecord } from "../audit-review/record.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/*
 * ATTACK   Before the first start of a new version, append to the record of the old one, without any key, a log-pruned as the old
 *          version wrote them: all lines up to a number, no segment by name. Take lines and transcripts away before that start, after it,
 *          or after one that was killed before it signed.
 * DANGER   What the old version permitted still counts, for its own prunings. If this line counts too, disclosures are gone, and nobody
 *          is told.
 * EXPECT   The old pruning counts. The forged line is adopted by name and excuses nothing, at whatever time: verify names what is gone,
 *          and a start refuses.
 */

const copyOfOld = (): MadeRecord => {
  const dataDirectory = join(temporaryDirectory(), "data");
  cpSync(join(import.meta.dirname, "../audit-review/record-of-an-earlier-version"), dataDirectory, { recursive: true });
  const key = createPrivateKey(readFileSync(join(dataDirectory, "log-key")));
  return { dataDirectory, key, publicKey: createPublicKey(key) };
};

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });
const restart = async (made: MadeRecord): Promise<void> => (await openAt(made)).close();

const forge = (made: MadeRecord, throughSeq: number): void => {
  const transcripts = ["S-2.cast", "S-3.cast"];
  const event = { type: "log-pruned", localUser: "root", before: new Date().toISOString(), throughSeq, transcripts };
  const line = { seq: 15, at: new Date().toISOString(), uptimeMs: 800, server: "pep-1", event };
  appendFileSync(inAudit(made, "log/000000000013.ndjson"), `${JSON.stringify(line)}\n`);
};

/** S-2's segment becomes its hashes, which the tree can't tell from a pruning; its transcript goes, and that of S-3. */
const takeAway = (made: MadeRecord): void => {
  const path = inAudit(made, "log/000000000004.ndjson");
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  writeFileSync(path.replace("ndjson", "hashes"), Buffer.concat(lines.map((line) => leafHash(Buffer.from(line)))));
  rmSync(path);
  for (const name of ["S-2.cast", "S-3.cast"]) rmSync(inAudit(made, `transcripts/${name}`));
};

/** What verify and a start say. */
const answersOf = async (made: MadeRecord) => ({
  problems: verify(made).problems.join("\n"),
  start: await restart(made).then(
    () => "started",
    (error: unknown) => error,
  ),
});
const noExcuse = {
  problems: expect.stringMatching(
    /events 4 to 6 are hashes only[^]*S-3\.cast is missing|S-3\.cast is missing[^]*events 4 to 6 are hashes only/,
  ),
  start: expect.objectContaining({
    category: "AuditUnavailable",
    message: expect.stringMatching(/events 4 to 6 are hashes only[^]*pep audit accept-loss/),
  }),
};

test("a record of an earlier version holds with its own pruning, and starts, once and again", async () => {
  const made = copyOfOld();
  for (let start = 0; start < 2; start += 1) {
    const { problems, notices } = verify(made);
    expect(problems).toEqual([]);
    expect(notices).toEqual(["events 1 to 3 were pruned, on the record; their hashes are there"]);
    await restart(made);
  }
  takeAway(made);
  expect(await answersOf(made)).toEqual(noExcuse);
});

for (const throughSeq of [6, 14, 1_000_000]) {
  test(`a forged pruning through event ${throughSeq} excuses nothing that is gone before the first start`, async () => {
    const made = copyOfOld();
    forge(made, throughSeq);
    takeAway(made);
    expect(await answersOf(made)).toEqual(noExcuse);
  });

  test(`a forged pruning through event ${throughSeq} that the first start found excuses nothing that is gone after it`, async () => {
    const made = copyOfOld();
    forge(made, throughSeq);
    await restart(made);
    expect(verify(made).problems).toEqual([]);
    expect(verify(made).notices.join("\n")).toContain("events 15 to 15 were adopted at a start (event 16)");
    takeAway(made);
    expect(await answersOf(made)).toEqual(noExcuse);
  });
}

test("a forged pruning excuses nothing when the first start was killed before its checkpoint", async () => {
  const made = copyOfOld();
  const [checkpoint, history] = ["checkpoint", "checkpoint-history"].map((name) => readFileSync(inAudit(made, name)));
  forge(made, 6);
  await restart(made);
  writeFileSync(inAudit(made, "checkpoint"), checkpoint ?? "");
  writeFileSync(inAudit(made, "checkpoint-history"), history ?? "");
  takeAway(made);
  expect(await answersOf(made)).toEqual(noExcuse);
  // Nor when what it wrote is cut off again.
  const path = inAudit(made, `log/${readdirSync(inAudit(made, "log")).sort().at(-1)}`);
  const lines = readFileSync(path, "utf8").split("\n");
  writeFileSync(path, lines.filter((line) => !line.includes("log-adopted")).join("\n"));
  expect(await answersOf(made)).toEqual(noExcuse);
});
