import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { runInWorker } from "../../server/audit-review/run-in-worker.ts";
import { verifyRecord } from "../../server/audit-review/verify-record.ts";
import { createReviewStage, newSessionId, rowsIn, sessionEvents, type ReviewStage } from "../harness/review-stage.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { writeManyEvents } from "./many-events.ts";
import { recordSession } from "./record.ts";
import { testRuntime } from "../harness/runtime.ts";

const put = async ({ record }: ReviewStage, events: readonly AuditEvent[]): Promise<void> => {
  for (const event of events) await record.append(event);
};

const users = async (stage: ReviewStage, filter: string): Promise<unknown[]> => {
  const { outcome, shown, message } = await stage.run("auditor", `Get-Session ${filter} -Format ndjson`);
  expect(message).toBe("");
  expect(outcome.exitStatus).toBe(0);
  return rowsIn(shown).map(({ User }) => User);
};

const twoDays = 2 * 24 * 60 * 60 * 1000;

test("sessions are found by user, command, key id, computer, outcome and time", async () => {
  const start = Date.parse("2026-11-01T12:00:00.000Z");
  let nowMs = start;
  const stage = await createReviewStage({ runtime: testRuntime({ now: () => new Date(nowMs) }), segmentBytes: 600 });
  await put(stage, sessionEvents("alice", { keys: [{ keyId: "3A78B34B-907A", computerName: "PC-1" }] }));
  nowMs += twoDays;
  await put(stage, sessionEvents("bob", { outcome: "failed", refused: 1 }));
  nowMs += twoDays;
  await put(stage, sessionEvents("carol", { outcome: "stopped" }));
  await put(stage, sessionEvents("dave", { ends: false }));
  nowMs += twoDays;

  expect(await users(stage, "")).toEqual(["alice", "bob", "carol", "dave"]);
  expect(await users(stage, "-User Bob")).toEqual(["bob"]);
  expect(await users(stage, "-KeyId 3a78b34b")).toEqual(["alice"]);
  expect(await users(stage, "-ComputerName pc-1")).toEqual(["alice"]);
  expect(await users(stage, "-ComputerName PC-2")).toEqual([]);
  expect(await users(stage, "-Command get-recoverykeys -Outcome Failed,Stopped")).toEqual(["bob", "carol"]);
  expect(await users(stage, "-Command verify-cert")).toEqual([]);
  expect(await users(stage, "-Outcome Refused")).toEqual(["bob"]);
  expect(await users(stage, "-Outcome Running")).toEqual(["dave"]);
  expect(await users(stage, "-Since 2026-11-03")).toEqual(["bob", "carol", "dave"]);
  expect(await users(stage, "-Since 2026-11-03 -Until 2026-11-04")).toEqual(["bob"]);
  expect(await users(stage, "-Until 2026-11-02")).toEqual(["alice"]);
});

test("-Since finds a session that was under way then, however long before it began", async () => {
  let nowMs = Date.parse("2026-11-01T12:00:00.000Z");
  const stage = await createReviewStage({ runtime: testRuntime({ now: () => new Date(nowMs) }), segmentBytes: 600 });
  const key = { keyId: "3A78B34B-907A", computerName: "PC-1" };
  await put(stage, sessionEvents("over", {}));
  const ends = sessionEvents("ends", { keys: [key] });
  await put(stage, ends.slice(0, -1));
  await put(stage, sessionEvents("runs", { ends: false }));
  for (let day = 0; day < 10; day += 1) {
    nowMs += twoDays;
    await put(stage, sessionEvents("other"));
  }
  await put(stage, ends.slice(-1));
  const others = Array.from({ length: 4 }, () => "other");
  expect(await users(stage, "-Since 2026-11-15")).toEqual([...others, "ends", "runs"]);
  expect(await users(stage, "-Since 2026-11-15 -KeyId 3a78b34b")).toEqual(["ends"]);
  expect(await users(stage, "-Since 2026-11-15 -Until 2026-11-16")).toEqual(["other", "ends", "runs"]);
  nowMs += twoDays;
  await stage.record.append({ type: "server-started", version: "1", listening: "x", hostKey: "x", runtime: "x" });
  await put(stage, sessionEvents("new"));
  expect(await users(stage, "-Since 2026-11-22")).toEqual(["runs", "new"]);
  nowMs += twoDays;
  await put(stage, sessionEvents("newer"));
  expect(await users(stage, "-Since 2026-11-24")).toEqual(["newer"]);
});

test("a session that a killed server left open is aborted, not running for ever", async () => {
  const stage = await createReviewStage();
  await put(stage, sessionEvents("alice", { ends: false }));
  await stage.record.append({ type: "server-started", version: "1", listening: "x", hostKey: "x", runtime: "x" });
  await put(stage, sessionEvents("bob", { ends: false }));
  expect(await users(stage, "-Outcome Aborted")).toEqual(["alice"]);
  expect(await users(stage, "-Outcome Running")).toEqual(["bob"]);
});

test("people get the counts and a line for each day; scripts get rows only", async () => {
  let nowMs = Date.parse("2026-11-01T12:00:00.000Z");
  const stage = await createReviewStage({ runtime: testRuntime({ now: () => new Date(nowMs) }) });
  const key = { keyId: "3A78B34B", computerName: "PC-1" };
  await put(stage, [...sessionEvents("alice", { keys: [key] }), ...sessionEvents("alice", { keys: [key, key, key] })]);
  nowMs += twoDays;
  await put(stage, sessionEvents("bob", { refused: 2 }));
  const { shown, told } = await stage.run("auditor", "Get-Session");
  expect(shown.split("\n")[0]).toMatch(/^SessionId +User +StartedAt/);
  expect(told).toBe(
    "3 sessions of 2 users, 4 keys disclosed, 2 lines refused.\n" +
      "Sessions: █·▄  2026-11-01 to 2026-11-03, most 2 a day\n" +
      "Keys    : █  2026-11-01 to 2026-11-01, most 4 a day\n",
  );
  expect((await stage.run("auditor", "Get-Session -Format csv")).told).toBe("");
  expect((await stage.run("auditor", "Get-Session | Select-Object -First 1")).told).toBe("");
  expect((await stage.run("auditor", "Get-Session -User nobody")).told).toBe("No session matches.\n");
});

test("one session's events are shown with reviews of it, and one that is not there is not found", async () => {
  const stage = await createReviewStage();
  const sessionId = newSessionId();
  await put(stage, [...sessionEvents("alice", { sessionId }), ...sessionEvents("bob")]);
  const first = await stage.run("auditor", `Get-Session ${sessionId} -Format ndjson`);
  expect(rowsIn(first.shown).map(({ Type }) => Type)).toEqual([
    "session-started",
    "command-started",
    "command-finished",
    "session-ended",
    "review",
  ]);
  const missing = await stage.run("auditor", `Get-Session ${newSessionId()}`);
  expect(missing.outcome).toMatchObject({ exitStatus: 3, rowCount: 0 });
  expect(missing.message).toBe("There is no such session on the record.");
});

test("events are filtered and cut, over segments and blocks, also a line longer than a block", async () => {
  const stage = await createReviewStage({ segmentBytes: 30_000 });
  for (let round = 0; round < 20; round += 1) await put(stage, sessionEvents(round % 2 === 0 ? "alice" : "bob"));
  const many = Array.from({ length: 2000 }, (_, index) => ({ keyId: `ID-${index}`, computerName: `PC-${index}` }));
  await put(stage, sessionEvents("carol", { keys: many }));
  const read = async (options: string): Promise<Record<string, unknown>[]> =>
    rowsIn((await stage.run("auditor", `Get-AuditEvent ${options} -Format ndjson`)).shown);

  const all = await read("");
  expect(all.map(({ Seq }) => Seq)).toEqual(Array.from({ length: all.length }, (_, index) => index + 1));
  expect(all.at(-1)).toMatchObject({ Type: "review", User: "auditor" });
  expect((await read("-Type disclosure")).map(({ Detail }) => JSON.parse(String(Detail)).keys.length)).toEqual([2000]);
  expect(await read("-User BOB -Type session-started")).toHaveLength(10);
  expect((await read("-First 3")).map(({ Seq }) => Seq)).toEqual([1, 2, 3]);
  expect((await read("-User bob -Last 2")).map(({ Type }) => Type)).toEqual(["command-finished", "session-ended"]);
  expect((await read("-Last 2")).map(({ Type }) => Type)).toEqual(["command-started", "review"]);
  expect(await read("-Until 2020-01-01")).toEqual([]);
  expect(await read("-Since 1h -Type session-started -User alice")).toHaveLength(10);
  const unknown = await stage.run("auditor", "Get-AuditEvent -Type disclosures");
  expect(unknown.outcome.exitStatus).toBe(2);
  expect(unknown.message).toMatch(/no event of the type disclosures\. There are: .*disclosure,/);
  const table = (await stage.run("auditor", "Get-AuditEvent -Type disclosure")).shown;
  expect(table).toContain("2000 in all]");
  expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThan(550);
});

test("what was pruned is passed over", async () => {
  const stage = await createReviewStage({ segmentBytes: 500 });
  await put(stage, [...sessionEvents("alice"), ...sessionEvents("bob")]);
  const [first = ""] = execFileSync("ls", [join(stage.dataDirectory, "audit", "log")], { encoding: "utf8" }).split(
    "\n",
  );
  const path = join(stage.dataDirectory, "audit", "log", first);
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").length;
  writeFileSync(path.replace(".ndjson", ".hashes"), Buffer.alloc(32 * lines));
  execFileSync("rm", [path]);
  const { shown } = await stage.run("auditor", "Get-AuditEvent -Format ndjson");
  expect(rowsIn(shown)[0]).toMatchObject({ Seq: lines + 1 });
});

test("the record is verified: 0 when it holds, 1 with the words of what does not; a checkpoint kept elsewhere counts", async () => {
  const stage = await createReviewStage({ segmentBytes: 900 });
  await recordSession(stage.record, stage.dataDirectory, newSessionId());
  await stage.record.checkpoint();
  const kept = readFileSync(join(stage.dataDirectory, "audit", "checkpoint")).toString("base64");
  await recordSession(stage.record, stage.dataDirectory, newSessionId());
  const good = await stage.run("auditor", `Test-AuditLog -SinceCheckpoint ${kept} -Format ndjson`);
  expect(good.message).toBe("");
  expect(good.outcome.exitStatus).toBe(0);
  expect(rowsIn(good.shown).map(({ Finding }) => Finding)).toEqual(["Result", "Claim", "Claim", "Claim"]);
  expect(good.shown).toContain("Unchanged: the first");

  const segment = join(stage.dataDirectory, "audit", "log", "000000000001.ndjson");
  writeFileSync(
    segment,
    readFileSync(segment, "utf8").replace('"columns":80', '"columns":81').replace("192.0.2.1", "192.0.2.2"),
  );
  const bad = await stage.run("auditor", "Test-AuditLog -Format ndjson");
  expect(bad.outcome.exitStatus).toBe(1);
  expect(rowsIn(bad.shown)[0]).toMatchObject({ Finding: "Problem" });

  const other = await createReviewStage();
  const another = await other.run("auditor", `Test-AuditLog -SinceCheckpoint ${kept}`);
  expect(another.outcome.exitStatus).toBe(1);
  expect(another.shown).toContain("is of the log");
});

test("an export is what its checkpoint signs, whatever is written meanwhile, and verifies elsewhere", async () => {
  const stage = await createReviewStage({ segmentBytes: 2000 });
  for (let round = 0; round < 5; round += 1) await recordSession(stage.record, stage.dataDirectory, newSessionId());
  let begun = false;
  const chunks: Uint8Array[] = [];
  const { outcome, message } = await stage.run("auditor", "Export-AuditLog", {
    delivery: {
      show: async (answer) => {
        if (answer.kind !== "bytes") throw new Error("not a file");
        for await (const chunk of answer.chunks) {
          chunks.push(Buffer.from(chunk));
          if (begun) continue;
          begun = true;
          await recordSession(stage.record, stage.dataDirectory, newSessionId());
          await stage.record.checkpoint();
        }
        return {};
      },
    },
  });
  expect(message).toBe("");
  expect(outcome.exitStatus).toBe(0);
  const elsewhere = temporaryDirectory();
  execFileSync("tar", ["xf", "-", "-C", elsewhere], { input: Buffer.concat(chunks) });
  const copy = join(elsewhere, "pep-record");
  const verified = verifyRecord({ dataDirectory: copy, publicKey: undefined, sinceCheckpoint: undefined });
  expect(verified.problems).toEqual([]);
  expect(verified.notices).toEqual([]);
  const exported = execFileSync("sh", ["-c", `cat ${copy}/audit/log/*.ndjson`], { encoding: "utf8" });
  expect(exported.trimEnd().split("\n").at(-1)).toContain('"action":"export"');
  expect(
    execFileSync("ls", [join(copy, "audit", "transcripts")], { encoding: "utf8" })
      .trim()
      .split("\n"),
  ).toHaveLength(5);
});

test("an export doesn't hide a transcript that no event names", async () => {
  const stage = await createReviewStage();
  await recordSession(stage.record, stage.dataDirectory, newSessionId());
  writeFileSync(join(stage.dataDirectory, "audit", "transcripts", "S-planted.cast"), "{}\n");
  const { shown } = await stage.run("auditor", "Export-AuditLog");
  expect(shown).toContain("pep-record/audit/transcripts/S-planted.cast");
});

test("a verification is stopped in the middle of its work, and tells how far it is", async () => {
  const dataDirectory = temporaryDirectory();
  writeManyEvents(dataDirectory, 100_000);
  const controller = new AbortController();
  const told: number[] = [];
  const onProgress = (events: number): void => {
    told.push(events);
    controller.abort();
  };
  const task = { kind: "verify", dataDirectory, publicKey: undefined, sinceCheckpoint: undefined } as const;
  const work = runInWorker(task, { onProgress, signal: controller.signal });
  await expect(work.next()).rejects.toMatchObject({ category: "OperationStopped" });
  expect(told[0]).toBe(10_000);
});

test("a review of the whole record is stopped wherever it is, and a fifth one at a time is refused", async () => {
  const auditors = ["auditor", "second", "third"];
  const stage = await createReviewStage({
    roles: JSON.stringify({
      roleCapabilities: { auditor: { visibleCommands: ["Get-Session", "Test-AuditLog"] } },
      roleDefinitions: Object.fromEntries(auditors.map((name) => [`user:${name}`, { roleCapabilities: ["auditor"] }])),
    }),
  });
  for (let round = 0; round < 250; round += 1) void stage.record.append(sessionEvents("alice")[0] ?? never());
  const controllers = Array.from({ length: 4 }, () => new AbortController());
  const begun: Promise<void>[] = [];
  const held = controllers.map(({ signal }, index) => {
    const first = Promise.withResolvers<void>();
    begun.push(first.promise);
    return stage.run(index < 2 ? "auditor" : "second", "Get-Session -Format ndjson", {
      signal,
      delivery: {
        batchRows: () => 1,
        show: async (answer) => {
          if (answer.kind !== "rows") return {};
          for await (const _ of answer.batches) {
            first.resolve();
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
          }
          return {};
        },
      },
    });
  });
  await Promise.all(begun);
  const fifth = await stage.run("third", "Test-AuditLog");
  expect(fifth.outcome.exitStatus).toBe(5);
  expect(fifth.message).toContain("Try again");
  for (const controller of controllers) controller.abort();
  for (const { outcome } of await Promise.all(held)) expect(outcome.exitStatus).toBe(130);
  expect((await stage.run("auditor", "Test-AuditLog")).outcome.exitStatus).toBe(0);
});

const never = (): never => {
  throw new Error("a session has events");
};
