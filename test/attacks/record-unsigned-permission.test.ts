import { execFileSync } from "node:child_process";
import { createHash, type KeyObject } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import { planPrune } from "../../server/audit/plan-prune.ts";
import { prune, prunedEvents } from "../../server/audit/prune.ts";
import { rawPublicKey } from "../../server/audit/signed-note.ts";
import { newKey, openAt, smallRecord, type MadeRecord } from "../audit-review/record.ts";

/*
 * ATTACK   Without any key, append a line to the log that permits what is done next: a log-pruned before lines are put into
 *          hashes and transcripts are deleted, a log-repaired before a torn file is planted, a log-key-rotated before the log is
 *          signed with a key of one's own. Or let the next start sign that line first.
 * DANGER   A disclosure is gone, verify says "0 problems", and the next start signs all of it.
 * EXPECT   Only an event that was signed when it was written permits anything, and only what it names, exactly. A start refuses
 *          a log that misses more.
 */

const logOf = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "log");
const transcriptsOf = ({ dataDirectory }: MadeRecord): string => join(dataDirectory, "audit", "transcripts");

const linesOf = (made: MadeRecord): string[] =>
  readdirSync(logOf(made))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .flatMap((name) =>
      readFileSync(join(logOf(made), name), "utf8")
        .trimEnd()
        .split("\n"),
    );

const problemsOf = ({ dataDirectory, publicKey }: MadeRecord, sinceCheckpoint?: string): string =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint }).problems.join("\n");
const noticesOf = ({ dataDirectory, publicKey }: MadeRecord): string =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined }).notices.join("\n");
const checkpointOf = ({ dataDirectory }: MadeRecord): string =>
  readFileSync(join(dataDirectory, "audit", "checkpoint"), "utf8");

/** As somebody without the key can: a line whose number is the next one. */
const forge = (made: MadeRecord, event: Readonly<Record<string, unknown>>): void => {
  const last = readdirSync(logOf(made))
    .filter((name) => name.endsWith(".ndjson"))
    .sort()
    .at(-1);
  const before = JSON.parse(linesOf(made).at(-1) ?? "");
  const line = { seq: before.seq + 1, at: new Date().toISOString(), uptimeMs: 1, server: "pep-1", event };
  appendFileSync(join(logOf(made), last ?? ""), `${JSON.stringify(line)}\n`);
};

/** Puts a segment into its true hashes. @returns what an event would say of it */
const hashSegment = (made: MadeRecord, name: string) => {
  const path = join(logOf(made), name);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const hashes = Buffer.concat(lines.map((line) => leafHash(Buffer.from(line))));
  writeFileSync(path.replace("ndjson", "hashes"), hashes);
  rmSync(path);
  const firstSeq = Number(name.slice(0, 12));
  const digest = createHash("sha256").update(hashes).digest("hex");
  return { file: name, firstSeq, lastSeq: firstSeq + lines.length - 1, digest };
};

const planAt = (made: MadeRecord, signedSize: number) => {
  const { dataDirectory, publicKey } = made;
  const { prunedBefore } = verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });
  return planPrune(logOf(made), Date.now() + 1000, signedSize, prunedBefore);
};

const firstSegment = "000000000001.ndjson";
const transcripts = ["S-1.cast", "S-2.cast", "S-3.cast"];
const restart = async (made: MadeRecord): Promise<void> => (await openAt(made)).close();
const refusal = { category: "AuditUnavailable", message: expect.stringContaining("are hashes only") };

/** What the attacker's event says, in the form of this version and in that of earlier ones. */
const permissions = (made: MadeRecord) => {
  const path = join(logOf(made), firstSegment);
  const text = readFileSync(path, "utf8");
  const named = hashSegment(made, firstSegment);
  // Given back: the permission comes before the deed.
  writeFileSync(path, text);
  rmSync(path.replace("ndjson", "hashes"));
  const said = { type: "log-pruned", localUser: "root", before: new Date().toISOString() };
  return {
    exact: {
      ...said,
      segments: [named],
      transcripts: transcripts.map((name) => ({
        name,
        digest: createHash("sha256")
          .update(readFileSync(join(transcriptsOf(made), name)))
          .digest("hex"),
      })),
      tornFiles: [],
    },
    old: { ...said, throughSeq: named.lastSeq, transcripts },
  };
};

const takeAway = (made: MadeRecord): void => {
  hashSegment(made, firstSegment);
  for (const name of transcripts) rmSync(join(transcriptsOf(made), name));
};

for (const form of ["exact", "old"] as const) {
  test(`a log-pruned of the ${form} form that nobody signed permits nothing, and no start goes on with it`, async () => {
    const made = await smallRecord();
    const kept = checkpointOf(made);
    forge(made, permissions(made)[form]);
    takeAway(made);
    expect(problemsOf(made, kept)).toContain("are hashes only");
    expect(problemsOf(made, kept)).toContain("S-2.cast is missing");
    await expect(restart(made)).rejects.toMatchObject(refusal);
  });

  test(`a log-pruned of the ${form} form that a start signed because it was there permits nothing`, async () => {
    const made = await smallRecord();
    const kept = checkpointOf(made);
    forge(made, permissions(made)[form]);
    await restart(made);
    expect(problemsOf(made, kept)).toBe("");
    expect(noticesOf(made)).toContain("events 11 to 11 were adopted at a start (event 12)");
    takeAway(made);
    expect(problemsOf(made, kept)).toContain("are hashes only");
    expect(problemsOf(made, kept)).toContain("S-3.cast is missing");
    await expect(restart(made)).rejects.toMatchObject(refusal);
  });
}

test("a forged log-adopted neither permits a thing nor takes away what a signed event permits", async () => {
  const made = await smallRecord({ segmentBytes: 1 });
  const record = await openAt(made);
  const plan = planAt(made, 10);
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  await prune(join(made.dataDirectory, "audit"), plan);
  await record.close();
  const root = new CompactRange().root().toString("base64");
  forge(made, { type: "log-adopted", from: 1, to: 11, root, tornFiles: ["000000000001.ndjson.torn-at-1"] });
  writeFileSync(join(logOf(made), "000000000001.ndjson.torn-at-1"), "planted");
  await restart(made);
  expect(problemsOf(made)).not.toContain("are hashes only");
  expect(problemsOf(made)).toContain("torn-at-1 is not on the record");
});

test("a pruning that was signed permits what it names, and not one segment more", async () => {
  const made = await smallRecord({ segmentBytes: 1 });
  const record = await openAt(made);
  const whole = planAt(made, 10);
  const plan = { ...whole, ...planAt(made, 3) };
  expect(plan.segments.length).toBeLessThan(whole.segments.length);
  for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
  expect(checkpointOf(made)).toContain("\n11\n"); // signed before anything goes
  await prune(join(made.dataDirectory, "audit"), plan);
  await record.close();
  expect(problemsOf(made)).toBe("");
  const next = whole.segments[plan.segments.length]?.name ?? "";
  hashSegment(made, next);
  expect(problemsOf(made)).toContain(`audit/log/${next.replace("ndjson", "hashes")}), and no signed event says so`);
  await expect(restart(made)).rejects.toMatchObject(refusal);
});

test("a log-repaired that nobody signed excuses no torn file", async () => {
  const made = await smallRecord();
  const keptAs = "000000000001.ndjson.torn-at-7";
  forge(made, { type: "log-repaired", file: firstSegment, droppedBytes: 1, keptAs });
  writeFileSync(join(logOf(made), keptAs), "x");
  expect(problemsOf(made)).toContain("torn-at-7 is not on the record");
  await restart(made);
  expect(problemsOf(made)).toContain("torn-at-7 is not on the record");
});

/** The log goes on under another key, as whoever has that key can make it. */
const signWith = (made: MadeRecord, key: KeyObject): void => {
  const tree = new CompactRange();
  const lines = linesOf(made).map((line) => leafHash(Buffer.from(line)));
  for (const leaf of lines) tree.append(leaf);
  const note = signCheckpoint({ origin: originOf(lines[0] ?? Buffer.alloc(0)), size: tree.size, root: tree.root() }, [
    key,
  ]);
  writeFileSync(join(made.dataDirectory, "audit", "checkpoint"), note);
  appendFileSync(join(made.dataDirectory, "audit", "checkpoint-history"), note);
};

test("a key that was announced by nobody who had the old one signs nothing", async () => {
  const made = await smallRecord();
  const own = newKey();
  forge(made, {
    type: "log-key-rotated",
    localUser: "root",
    from: rawPublicKey(made.publicKey).toString("base64"),
    to: rawPublicKey(own.publicKey).toString("base64"),
  });
  await restart(made);
  expect(problemsOf(made)).toBe("");
  expect(noticesOf(made)).toContain("the key is not trusted");
  forge(made, { type: "server-stopped", reason: "what the attacker wants to have happened" });
  signWith(made, own.privateKey);
  expect(problemsOf(made)).toContain("not signed with a key that is trusted here");
});

for (const [what, plant] of [
  ["a FIFO", (path: string) => execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", path])],
  ["a link to a device that never ends", (path: string) => symlinkSync("/dev/zero", path)],
  ["a directory", (path: string) => mkdirSync(path)],
] as const) {
  test(`${what} in the place of a transcript is named, and holds nothing up`, async () => {
    const made = await smallRecord();
    const path = join(transcriptsOf(made), "S-2.cast");
    rmSync(path);
    plant(path);
    expect(problemsOf(made)).toContain("S-2.cast can't be read");
  });

  test(`${what} in the place of a segment is named, and holds nothing up`, async () => {
    const made = await smallRecord();
    const path = join(logOf(made), firstSegment);
    rmSync(path);
    plant(path);
    expect(existsSync(join(logOf(made), firstSegment))).toBe(true);
    expect(problemsOf(made)).toContain("the log can't be read to its end");
  });
}

test("a link to a device that never ends, left for the start after a crash to clear away, holds no start up", async () => {
  const made = await smallRecord();
  forge(made, { type: "connection-opened", clientSoftware: "as a crash leaves it" });
  symlinkSync("/dev/zero", join(transcriptsOf(made), "S-9.cast"));
  await expect(restart(made)).rejects.toMatchObject({ category: "AuditUnavailable" });
  expect(problemsOf(made)).toContain("S-9.cast belongs to no session on the record");
});

test("a second pruning that takes the event of the first one leaves a record that holds and starts", async () => {
  const made = await smallRecord({ segmentBytes: 1 });
  for (const through of [3, 10, 1000]) {
    const record = await openAt(made, { segmentBytes: 1 });
    await record.append({ type: "server-stopped", reason: "another" });
    await record.checkpoint();
    const plan = planAt(made, through);
    expect(plan.segments.length).toBeGreaterThan(0);
    for (const event of prunedEvents(plan, "root", new Date())) await record.append(event);
    await prune(join(made.dataDirectory, "audit"), plan);
    await record.close();
    expect(problemsOf(made)).toBe("");
  }
  await restart(made);
});
