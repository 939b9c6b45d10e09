import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { commands } from "../../commands/index.ts";
import { openEventLog } from "../../server/audit/event-log.ts";
import type { AuditEvent, EventLog } from "../../server/audit/event.ts";
import type { VisibleCommands } from "../../server/authorization/contract.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import type { Answer, Delivery, Outcome } from "../../server/session/delivery.ts";
import { encodeAnswer } from "../../server/session/format/encode.ts";
import { createInvoke } from "../../server/session/invoke.ts";
import type { SiteDatabase } from "../../server/command/site-database.ts";
import { noElevation } from "../harness/elevation.ts";
import { portsOf } from "../harness/closed-ports.ts";
import { createSiteMaker, passwordRecord, type SiteMaker, type TestSite } from "../site-database/fixture.ts";
import { limitsOf } from "../harness/limits.ts";
import { testRuntime } from "../harness/runtime.ts";

const root = join(import.meta.dirname, "..", "..");

export let site: TestSite;
/** Of every second key. */
export const packageOf = (number: number): Buffer => Buffer.from(`package of key ${number} \u0000\u00ff`.repeat(20));
/** Forty keys; there before the first test. */
export let database: SiteDatabase;

/** Makes the site of a file of tests. Each calls it: the files of a worker share this module, but no hooks. */
export const withForty = (): void => {
  let maker: SiteMaker;
  beforeAll(async () => {
    maker = await createSiteMaker();
    site = await maker.make();
    await site.importRecords(
      Array.from({ length: 40 }, (_, number) =>
        passwordRecord(number, number % 2 === 0 ? { recoveryPackage: packageOf(number) } : {}),
      ),
    );
    database = await site.open();
  });
  afterAll(async () => {
    await site.dispose();
    await maker.dispose();
  });
};

interface Stage {
  /** Fails while it says so: what a full or dying disk does. */
  readonly failing?: (event: AuditEvent) => boolean;
  readonly user?: string;
  readonly roles?: string;
  /** Read anew for each question, as after a reload. */
  readonly rolesNow?: () => string;
  readonly siteDatabase?: SiteDatabase;
  readonly delivery?: Partial<Delivery>;
  readonly signal?: AbortSignal;
  /** Shared by several lines of one test. */
  readonly limits?: ReturnType<typeof limitsOf>;
  /** Once it says no, the user has no role any more. */
  readonly mayStill?: () => boolean;
  /** In place of what the roles grant. */
  readonly visible?: VisibleCommands;
}

interface Run {
  readonly outcome: Outcome;
  readonly shown: string;
  readonly events: readonly AuditEvent[];
}

/** One line through the real invoke, on a real log whose disk may fail, over a real site database. */
export const runLine = async (line: string, stage: Stage = {}): Promise<Run> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-invoke-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  let broken = false;
  const log = await openEventLog({
    server: "pep-1",
    directory: join(directory, "log"),
    runtime: testRuntime(),
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
  const given = stage.rolesNow?.() ?? stage.roles;
  let roles =
    given === undefined ? loadRolesFile(join(root, "jea-roles.json"), commands) : decodeRoles(given, commands);
  let rolesText = given;
  const user = stage.user ?? "exporter";
  let shown = "";
  const invoke = createInvoke({
    log: watched,
    ports: portsOf(stage.siteDatabase ?? database),
    visibleCommands: () => {
      const now = stage.rolesNow?.();
      if (now !== undefined && now !== rolesText) roles = decodeRoles((rolesText = now), commands);
      return stage.visible ?? roles.commandsFor((stage.mayStill?.() ?? true) ? user : "nobody");
    },
    elevation: noElevation,
    connectedUser: user,
    party: { connectedUser: user, keyFingerprint: `SHA256:${user}` },
    ...(stage.limits ?? limitsOf(roles)),
    origin: { connectionId: "C-1", sessionId: "S-1", connectedUser: user },
    uptimeMs: () => performance.now(),
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

export const bulk = "Get-RecoveryKeys -raw -Format ndjson";
export const types = (events: readonly AuditEvent[]): string[] => events.map(({ type }) => type);
