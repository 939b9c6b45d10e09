import { expect, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { EndpointError } from "../../server/errors.ts";
import { passwordOf } from "../site-database/fixture.ts";
import { bulk, database, runLine, site, types, withForty } from "./invoke-stage.ts";

withForty();

const keyShape = /\d{6}-\d{6}/;

test("rows are disclosed batch by batch, each on the record before it is shown", async () => {
  const disclosedWhenShown: number[] = [];
  const seen: AuditEvent[] = [];
  const { outcome, events } = await runLine(bulk, {
    failing: (event) => {
      seen.push(event);
      return false;
    },
    delivery: {
      show: async (answer) => {
        if (answer.kind !== "rows") return {};
        let rows = 0;
        for await (const batch of answer.batches) {
          rows += batch.length;
          const disclosed = seen.flatMap((event) => (event.type === "disclosure" ? event.keys : []));
          disclosedWhenShown.push(disclosed.length - rows);
        }
        return {};
      },
    },
  });
  expect(outcome).toEqual({
    command: "Get-RecoveryKeys",
    exitStatus: 0,
    rowCount: 40,
    collected: expect.objectContaining({ keys: 40 }),
  });
  // Exactly what is shown, and not one key ahead.
  expect(disclosedWhenShown).toEqual([0, 0, 0, 0, 0]);
  expect(types(events)).toEqual([
    "command-started",
    ...Array.from({ length: 5 }, () => "disclosure"),
    "command-finished",
  ]);
});

test("what could not be recorded as started did not run", async () => {
  let asked = 0;
  const watching: SiteDatabase = {
    ...database,
    readRecoveryKeys: (query, signal) => {
      asked += 1;
      return database.readRecoveryKeys(query, signal);
    },
  };
  const { outcome, shown, events } = await runLine(bulk, {
    failing: ({ type }) => type === "command-started",
    siteDatabase: watching,
  });
  expect(outcome).toMatchObject({ exitStatus: 254, failure: { category: "AuditUnavailable" } });
  expect({ asked, shown, events }).toEqual({ asked: 0, shown: "", events: [] });
});

test("when a disclosure in the middle can't be recorded, nothing of its batch is shown", async () => {
  let disclosures = 0;
  const { outcome, shown, events } = await runLine(bulk, {
    failing: ({ type }) => type === "disclosure" && ++disclosures === 3,
  });
  expect(outcome).toMatchObject({ exitStatus: 254, rowCount: 16 });
  const recorded = events.flatMap((event) => (event.type === "disclosure" ? event.keys : []));
  expect(shown.trimEnd().split("\n")).toHaveLength(recorded.length);
  expect(events.at(-1)).toMatchObject({ type: "command-finished", outcome: "failed", exitStatus: 254, rows: 16 });
});

test("a key that could not be marked in the site database is not shown", async () => {
  const away = new EndpointError("ResourceUnavailable", "The site database is away.");
  const { outcome, shown, events } = await runLine("Get-RecoveryKeys -ComputerName PC-1 -Format ndjson", {
    siteDatabase: { ...database, markDisclosed: () => Promise.reject(away) },
  });
  expect(outcome.exitStatus).toBe(7);
  expect(shown).toBe("");
  expect(types(events)).toContain("disclosure");
});

test("a key is marked in the site database before its text is made", async () => {
  const steps: string[] = [];
  await runLine("Get-RecoveryKeys -ComputerName PC-1 -Format ndjson", {
    siteDatabase: {
      ...database,
      markDisclosed: async (...args) => {
        await database.markDisclosed(...args);
        steps.push("marked");
      },
    },
    delivery: {
      reveal: (key) => {
        steps.push("revealed");
        return key;
      },
    },
  });
  expect(steps).toEqual(["marked", "revealed"]);
});

test("when only the outcome can't be recorded the user is told that it ran", async () => {
  const { outcome } = await runLine(bulk, { failing: ({ type }) => type === "command-finished" });
  expect(outcome).toMatchObject({ exitStatus: 254, rowCount: 40 });
  expect(outcome.failure?.message).toContain("The command ran; its outcome could not be recorded");
});

test("a refusal that can't be recorded is answered as such, not as a refusal", async () => {
  const { outcome } = await runLine("No-SuchCommand", { failing: () => true });
  expect(outcome.failure?.category).toBe("AuditUnavailable");
});

test("a limit is held before the first row, and before a key is marked", async () => {
  const marked = (): unknown =>
    site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Keys WHERE Disclosed = 1")[0]?.[0];
  const before = marked();
  const roles = JSON.stringify({
    roleCapabilities: { few: { visibleCommands: [{ name: "Get-RecoveryKeys", maxRows: 3 }] } },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["few"] } },
  });
  for (const line of [
    "Get-RecoveryKeys",
    "Get-RecoveryKeys | Measure-Object",
    "Get-RecoveryKeys | Select-Object -First 4",
    "Get-RecoveryKeys | Select-Object -Last 1",
  ]) {
    const { outcome, shown, events } = await runLine(line, { roles });
    expect(outcome.failure?.category, line).toBe("LimitsExceeded");
    expect(shown).toBe("");
    expect(types(events)).toEqual(["command-started", "command-finished"]);
  }
  expect(marked()).toBe(before);
});

test("a bug is a reference for the user, and the rest is in the log without a key that it may quote", async () => {
  const broken: SiteDatabase = {
    ...database,
    readRecoveryKeys: () => {
      throw new TypeError(`driver text with ${passwordOf(1)} in it`);
    },
  };
  const { outcome, events } = await runLine(bulk, { siteDatabase: broken });
  expect(outcome.exitStatus).toBe(70);
  expect(outcome.failure?.message).toMatch(/^The command failed\. Reference R-[0-9A-F]{10}\.$/);
  const finished = events.at(-1);
  expect(finished).toMatchObject({
    type: "command-finished",
    error: expect.stringContaining("TypeError: driver text"),
  });
  expect(JSON.stringify(events)).not.toMatch(keyShape);
});

test("a stop in the middle ends the reading, and the record says stopped", async () => {
  const stop = new AbortController();
  const { outcome, events } = await runLine(bulk, {
    signal: stop.signal,
    delivery: {
      show: async (answer) => {
        if (answer.kind !== "rows") return {};
        for await (const batch of answer.batches) if (batch.length > 0) stop.abort();
        return {};
      },
    },
  });
  expect(outcome).toMatchObject({ exitStatus: 130, rowCount: 8 });
  expect(events.at(-1)).toMatchObject({ type: "command-finished", outcome: "stopped", rows: 8 });
});
