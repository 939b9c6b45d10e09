import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { commands } from "../../commands/index.ts";
import { LiveFeed } from "../../server/audit-review/live-feed.ts";
import { createReview } from "../../server/audit-review/review.ts";
import { auditEventTypes, type AuditEvent } from "../../server/audit/event.ts";
import { openRecord, type OpenRecord, type RecordOptions } from "../../server/audit/open-record.ts";
import { decodeRoles } from "../../server/authorization/decode-roles.ts";
import { EndpointError } from "../../server/errors.ts";
import type { Delivery, Outcome } from "../../server/session/delivery.ts";
import { encodeAnswer } from "../../server/session/format/encode.ts";
import { closePorts } from "../../server/session/open-ports.ts";
import { createInvoke } from "../../server/session/invoke.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";
import { noElevation } from "./elevation.ts";
import { root } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { noTranscripts } from "./no-transcripts.ts";
import { limitsOf } from "./limits.ts";
import { testRuntime } from "./runtime.ts";

interface Ran {
  readonly outcome: Outcome;
  /** Text of an answer; of a file its bytes as latin1. */
  readonly shown: string;
  readonly told: string;
  readonly message: string;
}

interface RunOptions {
  readonly delivery?: Partial<Delivery>;
  readonly signal?: AbortSignal;
  /** The bytes go to a terminal. */
  readonly terminal?: boolean;
}

export interface ReviewStage {
  readonly dataDirectory: string;
  readonly record: OpenRecord;
  readonly feed: LiveFeed;
  /** One line of one user's session, through the real `invoke`, on the real record. */
  run(user: string, line: string, options?: RunOptions): Promise<Ran>;
  events(): readonly AuditEvent[];
}

export interface StageOptions extends Partial<RecordOptions> {
  readonly roles?: string;
  /** Fails to append what it says so of, as a full disk does. */
  readonly failing?: (event: AuditEvent) => boolean;
  /** A data directory with a record already in it. */
  readonly dataDirectory?: string;
}

/** Where somebody looks at the record: the shipped roles unless told otherwise. */
export const createReviewStage = async ({
  roles: rolesText,
  failing = () => false,
  dataDirectory = join(temporaryDirectory(), "data"),
  ...options
}: StageOptions = {}): Promise<ReviewStage> => {
  mkdirSync(join(dataDirectory, "audit"), { recursive: true });
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = createPublicKey(privateKey);
  writeFileSync(join(dataDirectory, "log-key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const feed = new LiveFeed();
  const record = await openRecord({
    server: "pep-1",
    directory: join(dataDirectory, "audit"),
    key: privateKey,
    runtime: testRuntime(),
    onDurable: (lastSeq) => feed.take(lastSeq),
    ...options,
  });
  onTestFinished(() => record.close());
  const log: OpenRecord = {
    ...record,
    append: (event) =>
      failing(event)
        ? Promise.reject(new EndpointError("AuditUnavailable", "This could not be recorded, so it was not done."))
        : record.append(event),
  };
  const review = createReview({ dataDirectory, log, feed, eventTypes: auditEventTypes });
  const roles = decodeRoles(rolesText ?? readFileSync(join(root, "jea-roles.json"), "utf8"), commands);

  const run: ReviewStage["run"] = async (user, line, { delivery, signal, terminal = false } = {}) => {
    const invoke = createInvoke({
      log,
      ports: closePorts({
        review,
        transcripts: noTranscripts,
        siteDatabase: createMemorySite(makeKeys(6)),
        now: () => new Date(),
      }),
      visibleCommands: () => roles.commandsFor(user),
      elevation: noElevation,
      ...limitsOf(roles),
      connectedUser: user,
      party: { connectedUser: user, keyFingerprint: `SHA256:${user}` },
      origin: { connectionId: "C-1", sessionId: `S-${user}`, clientAddress: "192.0.2.1", connectedUser: user },
      uptimeMs: () => performance.now(),
    });
    let shown = "";
    let told = "";
    const outcome = await invoke(
      line,
      {
        how: "exec",
        batchRows: () => 1024,
        reveal: (text) => text,
        confirmBulk: async () => true,
        confirm: async () => false,
        tell: async (text) => void (told += `${text}\n`),
        askPassword: async () => {
          throw new Error("no password in these tests");
        },
        show: async (answer) => {
          if (answer.kind === "bytes") {
            for await (const chunk of answer.chunks) shown += Buffer.from(chunk).toString("latin1");
          } else {
            for await (const piece of encodeAnswer(answer, { width: 10_000, terminal })) shown += piece;
          }
          return {};
        },
        ...delivery,
      },
      signal ?? new AbortController().signal,
    );
    return { outcome, shown, told, message: outcome.failure?.message ?? "" };
  };

  return {
    dataDirectory,
    record,
    feed,
    run,
    events: () =>
      readdirSync(join(dataDirectory, "audit", "log"))
        .filter((name) => name.endsWith(".ndjson"))
        .sort()
        .flatMap((name) => readFileSync(join(dataDirectory, "audit", "log", name), "utf8").split("\n"))
        .filter((text) => text !== "")
        .map((text) => JSON.parse(text).event),
  };
};

/** Rows of an answer in ndjson. */
export const rowsIn = (shown: string): Record<string, unknown>[] =>
  shown
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

let made = 0;
export const newSessionId = (): string => `S-${String((made += 1)).padStart(16, "0")}`;

/** What one session leaves on the record. */
export const sessionEvents = (
  user: string,
  {
    sessionId = newSessionId(),
    outcome = "succeeded",
    keys = [],
    refused = 0,
    ends = true,
  }: {
    readonly sessionId?: string;
    readonly outcome?: "succeeded" | "failed" | "stopped";
    readonly keys?: Extract<AuditEvent, { type: "disclosure" }>["keys"];
    readonly refused?: number;
    readonly ends?: boolean;
  } = {},
): AuditEvent[] => {
  const origin = { connectionId: "C-9", sessionId, clientAddress: "192.0.2.9", connectedUser: user };
  const command = { ...origin, invocationId: "I-1", command: "Get-RecoveryKeys" };
  return [
    { type: "session-started", ...origin, mode: "exec" },
    ...Array.from({ length: refused }, (): AuditEvent => ({
      type: "command-refused",
      ...origin,
      reason: "unknown",
      lineLength: 3,
    })),
    { type: "command-started", ...command, parameters: {}, pipeline: [], roleCapability: "operator" },
    ...(keys.length === 0 ? [] : [{ type: "disclosure", ...command, how: "exec", keys } as const]),
    { type: "command-finished", ...command, outcome, exitStatus: 0, rows: keys.length, durationMs: 1 },
    ...(ends ? [{ type: "session-ended", ...origin, exitStatus: 0 } as const] : []),
  ];
};
