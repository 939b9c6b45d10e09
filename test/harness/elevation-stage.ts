import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { commands } from "../../commands/index.ts";
import { openEventLog, type OpenEventLog } from "../../server/audit/event-log.ts";
import type { AuditEvent } from "../../server/audit/event.ts";
import { readRecentLog } from "../../server/audit/read-recent-log.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { createElevationGate } from "../../server/authorization/elevation-gate.ts";
import { openElevationStore } from "../../server/authorization/elevation-store.ts";
import { Elevations } from "../../server/authorization/elevation.ts";
import type { Delivery, Outcome } from "../../server/session/delivery.ts";
import { encodeAnswer } from "../../server/session/format/encode.ts";
import { createInvoke } from "../../server/session/invoke.ts";
import type { RecoveryKey, SiteDatabase } from "../../server/command/site-database.ts";
import type { CertifiedIdentity } from "../../server/identity/party.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { portsOf } from "./closed-ports.ts";
import { limitsOf } from "./limits.ts";
import { testRuntime } from "./runtime.ts";

/** alice and carol need approval, bob and dave approve; bob may ask too. */
export const rolesText = (entry: Readonly<Record<string, unknown>> = {}): string => {
  const exporting = {
    name: "Get-RecoveryKeys",
    parameters: ["ComputerName", "Since", "Reason", "Format", "raw"],
    requireApproval: true,
    ...entry,
  };
  return JSON.stringify({
    roleCapabilities: {
      exporter: { visibleCommands: [exporting, "Request-Elevation", "Get-Elevation"] },
      approver: { visibleCommands: ["Get-Elevation", "Approve-Elevation", "Deny-Elevation"] },
      checker: { visibleCommands: ["verify-cert"] },
    },
    roleDefinitions: {
      "user:alice": { roleCapabilities: ["exporter"] },
      "user:carol": { roleCapabilities: ["exporter"] },
      "user:bob": { roleCapabilities: ["approver", "exporter"] },
      "user:dave": { roleCapabilities: ["approver"] },
      "user:eve": { roleCapabilities: ["checker"] },
    },
  });
};

interface Ran {
  readonly outcome: Outcome;
  readonly shown: string;
  readonly told: string;
  readonly message: string;
}

interface RunOptions {
  /** Another than the user's own. */
  readonly key?: string;
  readonly certificate?: CertifiedIdentity;
  readonly delivery?: Partial<Delivery>;
  readonly signal?: AbortSignal;
  /** Shared by several lines of one test. */
  readonly limits?: ReturnType<typeof limitsOf>;
}

export interface Stage {
  readonly directory: string;
  readonly storePath: string;
  elevations: () => Elevations;
  /** One line of one user's session, through the real `invoke`, the real store and the real log. */
  run(user: string, line: string, options?: RunOptions): Promise<Ran>;
  /** Asks as `user` and returns the id of the request. */
  ask(user: string, line: string, options?: RunOptions): Promise<string>;
  approve(id: string, user?: string): Promise<Ran>;
  events(): readonly AuditEvent[];
  setRoles(text: string): void;
  setKeys(keys: readonly RecoveryKey[]): void;
  setSite(site: SiteDatabase): void;
  pass(ms: number): void;
  /** Closes everything and opens it again; `meanwhile` does what an attacker does to the files. */
  restart(meanwhile?: () => void): Promise<void>;
}

export const idIn = (text: string): string => /E-[0-9A-F]{10}/.exec(text)?.[0] ?? "";

export const createStage = async (): Promise<Stage> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-elevation-"));
  const logDirectory = join(directory, "log");
  const storePath = join(directory, "elevation.ndjson");
  let nowMs = Date.now();
  const now = (): Date => new Date(nowMs);
  let roles = decodeRoles(rolesText(), commands);
  let site: SiteDatabase = createMemorySite(makeKeys(6));
  let log: OpenEventLog;
  let elevations: Elevations;
  const open = async (): Promise<void> => {
    log = await openEventLog({ server: "pep-1", directory: logDirectory, runtime: testRuntime({ now }) });
    try {
      elevations = new Elevations({
        store: await openElevationStore(storePath),
        log,
        now,
        times: () => roles.session,
        over: readRecentLog(logDirectory, now()).endedElevations,
      });
      await elevations.compact();
    } catch (error) {
      await log.close();
      throw error;
    }
  };
  const close = async (): Promise<void> => {
    await elevations.close();
    await log.close();
  };
  await open();
  let isOpen = true;
  onTestFinished(async () => {
    if (isOpen) await close();
    rmSync(directory, { recursive: true, force: true });
  });

  const run: Stage["run"] = async (
    user,
    line,
    { key = `SHA256:${user}`, certificate, delivery, signal, limits } = {},
  ) => {
    const origin = { connectionId: "C-1", sessionId: `S-${user}`, connectedUser: user };
    const visibleCommands = () => roles.commandsFor(user);
    const ports = portsOf(site, now);
    const party = { connectedUser: user, keyFingerprint: key, certificate };
    const invoke = createInvoke({
      log,
      ports,
      visibleCommands,
      elevation: createElevationGate(elevations, { ...party, origin }, visibleCommands, ports.forEstimate),
      connectedUser: user,
      party,
      ...(limits ?? limitsOf(roles, now)),
      origin,
      uptimeMs: () => performance.now(),
    });
    let shown = "";
    let told = "";
    const outcome = await invoke(
      line,
      {
        how: "exec",
        batchRows: () => 8,
        reveal: (text) => text,
        confirmBulk: async () => true,
        confirm: async () => {
          throw new Error("nobody is asked in exec");
        },
        tell: async (text) => void (told += text),
        askPassword: async () => {
          throw new Error("no password in these tests");
        },
        show: async (answer) => {
          for await (const piece of encodeAnswer(answer, { width: 2000, terminal: false })) shown += piece;
          return {};
        },
        ...delivery,
      },
      signal ?? new AbortController().signal,
    );
    return { outcome, shown, told, message: outcome.failure?.message ?? "" };
  };

  return {
    directory,
    storePath,
    elevations: () => elevations,
    run,
    ask: async (user, line, options) => idIn((await run(user, line, options)).message),
    approve: (id, user = "dave") => run(user, `Approve-Elevation ${id} -Comment ok -Confirm`),
    events: () =>
      readdirSync(logDirectory)
        .sort()
        .flatMap((name) => readFileSync(join(logDirectory, name), "utf8").split("\n"))
        .filter((text) => text !== "")
        .map((text) => JSON.parse(text).event),
    setRoles: (text) => void (roles = decodeRoles(text, commands)),
    setKeys: (keys) => void (site = createMemorySite(keys)),
    setSite: (other) => void (site = other),
    pass: (ms) => void (nowMs += ms),
    async restart(meanwhile) {
      await close();
      isOpen = false;
      meanwhile?.();
      await open();
      isOpen = true;
    },
  };
};
