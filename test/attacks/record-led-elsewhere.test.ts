import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { prune } from "../../server/audit/prune.ts";
import { summarize, summarizedRecord } from "../audit-review/summarized.ts";
import { emptyRecord, openAt, smallRecord, type MadeRecord } from "../audit-review/record.ts";

/*
 * ATTACK   With write access to audit/ only, put a link to a file of the server's elsewhere in the place of a file of the record: of the
 *          newest segment, of the torn line that the next start sets aside, of the history, of a transcript that a crash left open; or a link
 *          to one of its folders in the place of the summaries.
 * DANGER   The server repairs, cuts off or appends to what the link leads to: its database loses its end, or a line of the attacker's
 *          choice stands in authorized-keys/. It takes away keys that it takes for old summaries.
 * EXPECT   No link is followed, to read or to write. What it leads to stays as it is, to the byte.
 */

const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const restart = async (made: MadeRecord): Promise<void> => (await openAt(made)).close();

/** A file that the server can write, and what is in it. */
const victimOf = (made: MadeRecord) => {
  const path = join(made.dataDirectory, "site.sqlite");
  const text = `first\n${"x".repeat(5000)}`;
  writeFileSync(path, text);
  return { path, text };
};

test("a link in the place of the newest segment is neither repaired nor cut off", async () => {
  const made = await smallRecord();
  const { path, text } = victimOf(made);
  symlinkSync(path, inAudit(made, "log/000000000099.ndjson"));
  await expect(restart(made)).rejects.toMatchObject({ category: "AuditUnavailable" });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a torn line is set aside in a file of its own, whatever link waits under its name", async () => {
  const made = await smallRecord({ segmentBytes: 1_000_000 });
  const { path, text } = victimOf(made);
  const segment = inAudit(made, "log/000000000001.ndjson");
  const kept = `${segment}.torn-at-${statSync(segment).size}`;
  symlinkSync(path, kept);
  appendFileSync(segment, "ssh-ed25519 AAAA of the attacker's choice");
  await restart(made);
  expect(readFileSync(path, "utf8")).toBe(text);
  expect(lstatSync(kept).isFile()).toBe(true);
  expect(readFileSync(kept, "utf8")).toContain("of the attacker's choice");
});

test("a checkpoint is not appended to what a link in the place of the history leads to", async () => {
  const made = await smallRecord();
  const { path, text } = victimOf(made);
  const record = await openAt(made);
  onTestFinished(() => record.close().catch(() => undefined));
  rmSync(inAudit(made, "checkpoint-history"));
  symlinkSync(path, inAudit(made, "checkpoint-history"));
  await record.append({ type: "server-stopped", reason: "after" });
  await expect(record.checkpoint()).rejects.toThrow(/ELOOP|regular file/);
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a log that was moved and linked to takes no more events", async () => {
  const made = emptyRecord();
  const record = await openAt(made);
  onTestFinished(() => record.close().catch(() => undefined));
  await record.append({ type: "server-stopped", reason: "before" });
  const segment = inAudit(made, "log/000000000001.ndjson");
  renameSync(segment, join(made.dataDirectory, "moved"));
  symlinkSync(join(made.dataDirectory, "moved"), segment);
  await expect(record.append({ type: "server-stopped", reason: "after" })).rejects.toMatchObject({
    category: "AuditUnavailable",
  });
});

test("a transcript that a crash left open is not closed where a link leads, and the start says so", async () => {
  const made = await smallRecord({ segmentBytes: 1_000_000 });
  const { path, text } = victimOf(made);
  const record = await openAt(made);
  const session = { sessionId: "S-8", connectedUser: "support" };
  await record.append({ type: "session-started", ...session, mode: "interactive", transcript: "S-8.cast" });
  await record.close();
  symlinkSync(path, inAudit(made, "transcripts/S-8.cast"));
  await restart(made);
  expect(readFileSync(path, "utf8")).toBe(text);
  expect(readFileSync(inAudit(made, "log/000000000001.ndjson"), "utf8")).toContain("its transcript is no regular file");
});

test("what lies in another folder, which a link makes that of the summaries, is neither taken away nor added to", async () => {
  const made = await summarizedRecord();
  const keys = join(made.dataDirectory, "authorized-keys");
  mkdirSync(keys);
  for (const name of ["support", "000000000099.json"]) writeFileSync(join(keys, name), "ssh-ed25519 AAAA");
  rmSync(inAudit(made, "summaries"), { recursive: true });
  symlinkSync(keys, inAudit(made, "summaries"));
  const record = await openAt(made);
  await expect(summarize(made, record)).rejects.toThrow("is a link");
  await record.close();
  await prune(inAudit(made, ""), { segments: [], transcripts: [], tornFiles: [] });
  expect(readdirSync(keys).toSorted()).toEqual(["000000000099.json", "support"]);
});

test("only what is a summary by its name is taken away with the summaries", async () => {
  const made = await summarizedRecord();
  const own = readdirSync(inAudit(made, "summaries"));
  mkdirSync(inAudit(made, "summaries/000000000099.json"));
  writeFileSync(inAudit(made, "summaries/notes"), "an administrator's");
  await prune(inAudit(made, ""), { segments: [], transcripts: [], tornFiles: [] });
  expect(own).toHaveLength(1);
  expect(readdirSync(inAudit(made, "summaries")).toSorted()).toEqual(["000000000099.json", "notes"]);
});
