import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { openEventLog } from "../../server/audit/event-log.ts";
import type { AuditEvent, EventLog } from "../../server/audit/event.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import type { Answer, Delivery, Outcome } from "../../server/session/delivery.ts";
import { encodeAnswer } from "../../server/session/format/encode.ts";
import { createInvoke } from "../../server/session/invoke.ts";
import type { SiteDatabase } from "../../server/site-database/port.ts";
import { noElevation } from "../harness/elevation.ts";
import { noReview } from "../harness/review.ts";
import {
  createSiteMaker,
  passwordOf,
  passwordRecord,
  type SiteMaker,
  type TestSite,
} from "../site-database/fixture.ts";

const root = join(import.meta.dirname, "..", "..");

let maker: SiteMaker;
let site: TestSite;
let database: SiteDatabase;
beforeAll(async () => {
  maker = await createSiteMaker();
  site = await maker.make();
  await site.importRecords(Array.from({ length: 40 }, (_, number) => passwordRecord(number)));
  database = await site.open();
});
afterAll(async () => {
  await site.dispose();
  await maker.dispose();
});

interface Stage {
  /** Fails while it says so: what a full or dying disk does. */
  readonly failing?: (event: AuditEvent) => boolean;
  readonly user?: string;
  readonly roles?: string;
  readonly siteDatabase?: SiteDatabase;
  readonly delivery?: Partial<Delivery>;
  readonly signal?: AbortSignal;
}

interface Run {
  readonly outcome: Outcome;
  readonly shown: string;
  readonly events: readonly AuditEvent[];
}

/** One line through the real invoke, on a real log whose disk may fail, over a real site database. */
const runLine = async (line: string, stage: Stage = {}): Promise<Run> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-invoke-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  let broken = false;
  const log = await openEventLog({
    directory: join(directory, "log"),
    now: () => new Date(),
    uptimeMs: () => performance.now(),
    synchronize: async (file) => {
      if (broken) throw new Error("EIO: i/o error, fdatasync");
      await file.datasync();
    },
  });
  const watched: EventLog = {
    append: (event) => {
      broken = stage.failing?.(event) ?? false;
      return log.append(event);
    },
  };
  const roles =
    stage.roles === undefined
      ? loadRolesFile(join(root, "jea-roles.json"), commands)
      : decodeRoles(stage.roles, commands);
  const user = stage.user ?? "exporter";
  let shown = "";
  const invoke = createInvoke({
    log: watched,
    siteDatabase: stage.siteDatabase ?? database,
    visibleCommands: () => roles.commandsFor(user),
    elevation: noElevation,
    review: noReview,
    connectedUser: user,
    origin: { connectionId: "C-1", sessionId: "S-1", connectedUser: user },
    now: () => new Date(),
    uptimeMs: () => performance.now(),
    report: () => undefined,
  });
  const outcome = await invoke(
    line,
    {
      how: "exec",
      batchRows: () => 8,
      reveal: (key) => key,
      confirmBulk: async () => true,
      confirm: async () => true,
      tell: async () => undefined,
      askPassword: async () => {
        throw new Error("not asked for in these tests");
      },
      show: async (answer: Answer) => {
        for await (const piece of encodeAnswer(answer, { width: 200, terminal: false })) shown += piece;
        return {};
      },
      ...stage.delivery,
    },
    stage.signal ?? new AbortController().signal,
  );
  await log.close();
  const events = readdirSync(join(directory, "log"))
    .flatMap((name) => readFileSync(join(directory, "log", name), "utf8").split("\n"))
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text).event);
  return { outcome, shown, events };
};

const bulk = "Get-RecoveryKeys -raw -Format ndjson";
const keyShape = /\d{6}-\d{6}/;
const types = (events: readonly AuditEvent[]): string[] => events.map(({ type }) => type);

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
  expect(outcome).toEqual({ command: "Get-RecoveryKeys", exitStatus: 0, rowCount: 40 });
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
    "Get-RecoveryKeys | Select-Object -First 1",
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
