import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import type { Outcome } from "../../server/session/delivery.ts";
import { limitsOf } from "../harness/limits.ts";
import { bulk, runLine, types, withForty } from "./invoke-stage.ts";

withForty();

const limitedSession = decodeRoles('{"roleCapabilities":{},"roleDefinitions":{}}', commands).session;

test("a limit of an hour stops an answer before its next batch, and the record says so", async () => {
  const roles = JSON.stringify({
    roleCapabilities: { few: { visibleCommands: [{ name: "Get-RecoveryKeys", disclosuresPerHour: 20 }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["few"] } },
  });
  const { outcome, shown, events } = await runLine("Get-RecoveryKeys -Format ndjson", { roles });
  expect(outcome).toMatchObject({ exitStatus: 5, rowCount: 16, failure: { category: "LimitsExceeded" } });
  expect(shown.match(/(?:\d{6}-){7}\d{6}/g)).toHaveLength(16);
  expect(types(events)).toEqual(["command-started", "disclosure", "disclosure", "command-finished"]);
  expect(events.at(-1)).toMatchObject({ outcome: "failed", exitStatus: 5, rows: 16, reason: "limit" });
});

test("a batch that can't be recorded doesn't count as shown", async () => {
  const roles = JSON.stringify({
    roleCapabilities: { few: { visibleCommands: [{ name: "Get-RecoveryKeys", disclosuresPerHour: 8 }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["few"] } },
  });
  const limits = limitsOf();
  const line = "Get-RecoveryKeys -Format ndjson";
  const failing = (event: AuditEvent): boolean => event.type === "disclosure";
  expect((await runLine(line, { roles, limits, failing })).outcome).toMatchObject({ exitStatus: 254 });
  expect((await runLine(line, { roles, limits })).outcome).toMatchObject({ exitStatus: 5, rowCount: 8 });
});

test("commands wait for each other's end, and default commands for nobody", async () => {
  const limits = { ...limitsOf({ session: { ...limitedSession, commandsPerUser: 1 } }) };
  const reading = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const first = runLine(bulk, {
    limits,
    delivery: {
      show: async () => {
        begun.resolve();
        await reading.promise;
        return {};
      },
    },
  });
  await begun.promise;
  let told = "";
  const second = runLine("Get-RecoveryKeys -Format ndjson", {
    limits,
    delivery: { tell: async (text) => void (told += text) },
  });
  expect((await runLine("Get-Command", { limits })).outcome).toMatchObject({ exitStatus: 0 });
  const stop = new AbortController();
  const third = runLine("Get-RecoveryKeys -Format ndjson", { limits, signal: stop.signal });
  stop.abort();
  // Stopped while it waited: it never ran, and the record says so.
  expect(await third).toMatchObject({
    outcome: { exitStatus: 130 },
    events: [{ type: "command-refused", reason: "stopped", command: "Get-RecoveryKeys" }],
  });
  await expect
    .poll(() => told)
    .toBe("Waiting: 1 of your commands are running, the most that run at a time (commandsPerUser).");
  reading.resolve();
  expect((await first).outcome).toMatchObject({ exitStatus: 0 });
  expect((await second).outcome).toMatchObject({ exitStatus: 0, rowCount: 40 });
});

test("a page on a screen holds up no other command of its reader", async () => {
  const limits = limitsOf({ session: { ...limitedSession, commandsPerUser: 1 } });
  let outcomeMeanwhile: Outcome | undefined;
  const { outcome } = await runLine(bulk, {
    limits,
    delivery: {
      how: "interactive",
      show: async (answer) => {
        if (answer.kind !== "rows") return {};
        for await (const page of answer.batches) {
          expect(page).not.toEqual([]);
          outcomeMeanwhile ??= (await runLine("Get-RecoveryKeys -Format ndjson", { limits })).outcome;
        }
        return {};
      },
    },
  });
  expect(outcomeMeanwhile).toMatchObject({ exitStatus: 0, rowCount: 40 });
  expect(outcome).toMatchObject({ exitStatus: 0, rowCount: 40 });
});

test("rights that went away while a command waited let nothing run", async () => {
  const limits = limitsOf({ session: { ...limitedSession, commandsPerUser: 1 } });
  const holding = await limits.turns.take(
    { connectedUser: "exporter", keyFingerprint: "SHA256:exporter" },
    new AbortController().signal,
  );
  let mayStill = true;
  let told = "";
  const waiting = runLine(bulk, {
    limits,
    mayStill: () => mayStill,
    delivery: { tell: async (text) => void (told += text) },
  });
  // It was bound, and waits; then the roles are read again.
  await expect.poll(() => told, { timeout: 10_000 }).toContain("Waiting");
  mayStill = false;
  holding.end();
  const { outcome, events } = await waiting;
  expect(outcome).toMatchObject({ exitStatus: 127 });
  expect(types(events)).toEqual(["command-refused"]);
});
