import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeCheckpoint, historyNotes } from "../../server/audit/checkpoint.ts";
import { recordedEvent } from "../../server/audit/event.ts";
import { textOf } from "../../server/audit-review/decode-line.ts";
import { readEvents } from "../../server/audit-review/read-events.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { emptyRecord, newKey, openAt, recordSession, smallRecord, type MadeRecord } from "../audit-review/record.ts";
import { testRuntime } from "../harness/runtime.ts";

const verify = ({ dataDirectory, publicKey }: MadeRecord) =>
  verifyRecord({ dataDirectory, publicKey, sinceCheckpoint: undefined });
const inAudit = ({ dataDirectory }: MadeRecord, name: string): string => join(dataDirectory, "audit", name);
const size = (made: MadeRecord): number => decodeCheckpoint(readFileSync(inAudit(made, "checkpoint"), "utf8")).size;

test("a checkpoint is due after so many events, and not for each", async () => {
  const made = emptyRecord();
  const record = await openAt(made, { checkpointEvents: 10 });
  for (let index = 0; index < 9; index += 1) await record.append({ type: "server-stopped", reason: "x" });
  expect(existsSync(inAudit(made, "checkpoint"))).toBe(false);
  await record.append({ type: "server-stopped", reason: "x" });
  await expect.poll(() => existsSync(inAudit(made, "checkpoint")) && size(made)).toBe(10);
  await record.append({ type: "server-stopped", reason: "x" });
  await record.close();
  expect(size(made)).toBe(11);
  expect([...historyNotes(inAudit(made, "checkpoint-history"))]).toHaveLength(2);
});

test("a checkpoint is due after a time when there are new events", async () => {
  const made = emptyRecord();
  const record = await openAt(made, { checkpointMs: 20 });
  await record.append({ type: "server-stopped", reason: "x" });
  await expect.poll(() => existsSync(inAudit(made, "checkpoint")) && size(made)).toBe(1);
  await record.close();
});

test("checkpoints that begin to fail are on the record once, and so is that they work again", async () => {
  const made = emptyRecord();
  const problems: string[] = [];
  const options = { checkpointMs: 20, runtime: testRuntime({ report: (problem) => void problems.push(problem) }) };
  const record = await openAt(made, options);
  mkdirSync(inAudit(made, "checkpoint.new"));
  await record.append({ type: "server-stopped", reason: "x" });
  const states = (): string[] =>
    [...readEvents(inAudit(made, "log"))].flatMap(({ event }) =>
      event.type === "checkpoint" ? [`${textOf(event, "state")} ${textOf(event, "error")}`] : [],
    );
  await expect.poll(() => problems.length).toBeGreaterThan(2);
  expect(states()).toEqual([expect.stringMatching(/^failing EISDIR/)]);
  rmSync(inAudit(made, "checkpoint.new"), { recursive: true });
  await expect.poll(states).toHaveLength(2);
  expect(states().at(-1)).toBe("working ");
  await record.close();
  expect(verify(made).problems).toEqual([]);
});

test("a transcript whose session had not begun when the server died is cleared away, on the record", async () => {
  const made = await smallRecord();
  const record = await openAt(made);
  await record.append({ type: "connection-opened", clientSoftware: "OpenSSH" });
  await record.close();
  const path = inAudit(made, "transcripts/S-unbegun.cast");
  writeFileSync(path, `{"version":3,"term":{"cols":80,"rows":24}}\n`);
  const planted = inAudit(made, "transcripts/S-planted.cast");
  writeFileSync(planted, `{"version":3,"term":{"cols":80,"rows":24}}\n[0,"o","something"]\n`);
  await expect(openAt(made)).rejects.toMatchObject({
    message: expect.stringContaining("S-planted.cast belongs to no session"),
  });
  expect(existsSync(path)).toBe(true);
  rmSync(planted);
  await (await openAt(made)).close();
  expect(existsSync(path)).toBe(false);
  const removed = [...readEvents(inAudit(made, "log"))].filter(({ event }) => event.type === "transcript-removed");
  expect(removed.map(({ event }) => event["transcript"])).toEqual(["S-unbegun.cast"]);
  expect(verify(made).problems).toEqual([]);
});

test("a log that is shorter than its checkpoint is not gone on with", async () => {
  const made = await smallRecord();
  const last = readdirSync(inAudit(made, "log")).sort().at(-1) ?? "";
  rmSync(inAudit(made, `log/${last}`));
  await expect(openAt(made)).rejects.toMatchObject({
    category: "AuditUnavailable",
    message: expect.stringContaining("its checkpoint was signed over 10"),
  });
});

test("a log that was changed under its checkpoint is not gone on with", async () => {
  const made = await smallRecord();
  const segment = inAudit(made, "log/000000000001.ndjson");
  writeFileSync(segment, readFileSync(segment, "utf8").replace("Lost PIN", "Lost pin"));
  await expect(openAt(made)).rejects.toMatchObject({
    category: "AuditUnavailable",
    message: expect.stringContaining("not the one its checkpoint was signed over"),
  });
});

test("another log-key doesn't go on with the log", async () => {
  const made = await smallRecord();
  await expect(openAt({ ...made, key: newKey().privateKey })).rejects.toMatchObject({
    message: expect.stringContaining("rotate-key"),
  });
});

test("a checkpoint torn by a crash is passed over, by the writer and by the verifier", async () => {
  const made = await smallRecord();
  appendFileSync(inAudit(made, "checkpoint-history"), "pep-audit/0123\n1");
  const record = await openAt(made);
  await record.append({ type: "server-stopped", reason: "again" });
  await record.close();
  expect(verify(made).problems).toEqual([]);
  expect(size(made)).toBe(11);
});

/** What a SIGKILL leaves: no end of the session, no end of the transcript, perhaps half a line. */
const crashed = async (made: MadeRecord, tail: string): Promise<string> => {
  const record = await openAt(made);
  const path = inAudit(made, "transcripts/S-dead.cast");
  writeFileSync(path, `{"version":3,"term":{"cols":80,"rows":24}}\n[0.1,"o","the last that was seen"]\n${tail}`);
  await record.append({
    type: "session-started",
    sessionId: "S-dead",
    connectedUser: "support",
    mode: "interactive",
    transcript: "S-dead.cast",
  });
  await record.close();
  return path;
};

for (const [name, tail] of [
  ["at the end of a line", ""],
  ["in the middle of a line", '[0.1,"o","never sh'],
  ["after its exit event", '[0.1,"x","0"]\n'],
] as const) {
  test(`a transcript whose session was cut off ${name} is closed at the next start, with its digest in the log`, async () => {
    const made = await smallRecord();
    const path = await crashed(made, tail);
    const record = await openAt(made);
    await record.close();
    const last = [...readEvents(inAudit(made, "log"))].map(({ event }) => event).at(-1);
    expect(last).toMatchObject({
      type: "session-ended",
      sessionId: "S-dead",
      connectedUser: "support",
      transcriptDigest: createHash("sha256").update(readFileSync(path)).digest("hex"),
      reason: "aborted: the server stopped",
    });
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.join("\n")).toContain("the last that was seen");
    expect(JSON.parse(lines.at(-1) ?? "")[1]).toBe("x");
    for (const line of lines) if (!line.startsWith("#")) JSON.parse(line);
    if (tail.includes("never")) {
      const kept = /^# \d+ bytes of an unfinished line: (.*)$/m.exec(lines.join("\n"))?.[1] ?? "";
      expect(Buffer.from(kept, "base64").toString()).toBe(tail);
    }
    expect(verify(made).problems).toEqual([]);
    await (await openAt(made)).close();
    expect([...readEvents(inAudit(made, "log"))].filter(({ event }) => event["sessionId"] === "S-dead")).toHaveLength(
      2,
    );
  });
}

test("a transcript without even its header is closed as one that players read", async () => {
  const made = await smallRecord();
  const path = await crashed(made, "");
  truncateSync(path, 5);
  await (await openAt(made)).close();
  expect(JSON.parse(readFileSync(path, "utf8").split("\n")[0] ?? "")).toMatchObject({ version: 3 });
  expect(verify(made).problems).toEqual([]);
});

test("a segment is ended by age, so that pruning by date finds whole ones", async () => {
  const made = emptyRecord();
  let now = Date.parse("2026-01-01T00:00:00Z");
  const options = { runtime: testRuntime({ now: () => new Date(now) }), segmentAgeMs: 1000 };
  const first = await openAt(made, options);
  await first.append({ type: "server-stopped", reason: "a" });
  now += 500;
  await first.append({ type: "server-stopped", reason: "b" });
  await first.close();
  now += 600;
  const second = await openAt(made, options);
  await second.append({ type: "server-stopped", reason: "c" });
  await second.close();
  expect(existsSync(inAudit(made, "log/000000000003.ndjson"))).toBe(true);
});

test("every line of a log is what the published schema says", async () => {
  const made = await smallRecord();
  const record = await openAt(made);
  await recordSession(record, made.dataDirectory, "S-9");
  await record.close();
  for (const line of readEvents(inAudit(made, "log"))) expect(recordedEvent.safeParse(line).success).toBe(true);
});
