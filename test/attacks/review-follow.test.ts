/*
 * ATTACK: follow the record and stop reading; follow it many times over; follow it while following is itself on the record.
 * DANGER: events pile up in memory for a reader that never comes back, or each review makes an event that makes a row that …
 * EXPECT: a reader that is stuck costs nothing and loses nothing; what is shown makes no event; the server's stop ends it.
 */
import { expect, test } from "vitest";
import { aliveBytes } from "../harness/memory.ts";
import { createReviewStage, rowsIn, sessionEvents, type ReviewStage } from "../harness/review-stage.ts";
import type { Answer, Outcome } from "../../server/session/delivery.ts";

interface Follower {
  readonly rows: unknown[];
  readonly ended: Promise<{ readonly outcome: Outcome }>;
  readonly stop: () => void;
}

/** @param turn awaited before each row is taken */
const follow = (stage: ReviewStage, options = "", turn: () => Promise<void> = async () => undefined): Follower => {
  const rows: unknown[] = [];
  const controller = new AbortController();
  const show = async (answer: Answer): Promise<Record<string, never>> => {
    if (answer.kind !== "rows") return {};
    for await (const batch of answer.batches) {
      rows.push(...batch.map(([, , type]) => type));
      await turn();
    }
    return {};
  };
  const ended = stage.run("auditor", `Get-AuditEvent -Follow ${options}`, {
    delivery: { show },
    signal: controller.signal,
  });
  return { rows, ended, stop: () => controller.abort() };
};

test("what happens is shown once it is durable, and showing it makes no event", async () => {
  const stage = await createReviewStage();
  for (const event of sessionEvents("alice")) await stage.record.append(event);
  const first = follow(stage);
  const second = follow(stage, "-Last 1");
  await expect.poll(() => second.rows.length).toBeGreaterThan(0);
  const before = stage.events().length;
  for (const event of sessionEvents("bob")) await stage.record.append(event);
  await expect.poll(() => first.rows.at(-1)).toBe("session-ended");
  await expect.poll(() => second.rows.at(-1)).toBe("session-ended");
  expect(stage.events()).toHaveLength(before + 4);
  first.stop();
  expect((await first.ended).outcome.exitStatus).toBe(130);
  stage.feed.end();
  expect((await second.ended).outcome.exitStatus).toBe(0);
});

test("a reader that is stuck makes memory grow by nothing, and has missed nothing when it goes on", async () => {
  const stage = await createReviewStage();
  const stuck = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const follower = follow(stage, "", () => {
    reached.resolve();
    return stuck.promise;
  });
  await expect.poll(() => stage.events().some(({ type }) => type === "review")).toBe(true);
  await stage.record.append({ type: "server-stopped", reason: "the first row" });
  await reached.promise;
  const padding = "x".repeat(20_000);
  const before = aliveBytes();
  const events = 3_000; // 60 MB of text
  for (let round = 0; round < events; round += 100) {
    await Promise.all(
      Array.from({ length: 100 }, () =>
        stage.record.append({ type: "configuration-refused", what: "x", problem: padding }),
      ),
    );
  }
  // Again and again: V8 gives the memory of buffers back beside everything else, after the collection. What is held never goes.
  const growth = (): number => aliveBytes() - before;
  await expect.poll(growth).toBeLessThan(30_000_000);
  expect(follower.rows).toHaveLength(1);
  stuck.resolve();
  await expect.poll(() => follower.rows.length).toBe(1 + events);
  follower.stop();
  await follower.ended;
});

test("what is followed can be cut by a pipe, and ends then by itself", async () => {
  const stage = await createReviewStage();
  const ran = stage.run("auditor", "Get-AuditEvent -Follow -Format ndjson | Select-Object Type -First 2");
  await expect.poll(() => stage.events().some(({ type }) => type === "review")).toBe(true);
  for (const event of sessionEvents("bob")) await stage.record.append(event);
  const { outcome, shown } = await ran;
  expect(outcome.exitStatus).toBe(0);
  expect(rowsIn(shown)).toEqual([{ Type: "session-started" }, { Type: "command-started" }]);
});

test("a role's limit of rows ends what is followed", async () => {
  const stage = await createReviewStage({
    roles: JSON.stringify({
      roleCapabilities: { some: { visibleCommands: [{ name: "Get-AuditEvent", maxRows: 2 }] } },
      roleDefinitions: { "user:auditor": { roleCapabilities: ["some"] } },
    }),
  });
  const follower = follow(stage);
  await expect.poll(() => stage.events().some(({ type }) => type === "review")).toBe(true);
  for (const event of sessionEvents("bob")) await stage.record.append(event);
  const { outcome } = await follower.ended;
  expect(outcome.exitStatus).toBe(5);
  expect(follower.rows.length).toBeLessThanOrEqual(2);
});

test("a follower never shows what is written and not yet durable, nor what a failed write took back", async () => {
  let broken = false;
  const stage = await createReviewStage({
    synchronize: async (file) => {
      if (broken) throw new Error("EIO: i/o error, fdatasync");
      await file.datasync();
    },
  });
  const follower = follow(stage, "-Format ndjson");
  await expect.poll(() => stage.events().some(({ type }) => type === "review")).toBe(true);
  broken = true;
  await expect(stage.record.append({ type: "server-stopped", reason: "never was" })).rejects.toThrow(
    "could not be recorded",
  );
  broken = false;
  for (const event of sessionEvents("bob")) await stage.record.append(event);
  await expect.poll(() => follower.rows.length).toBe(4);
  expect(follower.rows).not.toContain("server-stopped");
  follower.stop();
  await follower.ended;
  const { shown } = await stage.run("auditor", "Get-AuditEvent -Format ndjson");
  expect(rowsIn(shown).map(({ Type }) => Type)).not.toContain("server-stopped");
});
