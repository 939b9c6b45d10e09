import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import type { AuditEvent } from "../../server/audit/event.ts";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import { newKey } from "./record.ts";

interface DatedEvent {
  readonly at: Date;
  readonly event: AuditEvent;
}

export interface TestSession {
  readonly sessionId: string;
  readonly user: string;
  readonly startedAt: Date;
  readonly computers: readonly string[];
  readonly command?: string;
  readonly reason?: string;
  readonly clientAddress?: string;
  readonly clientSoftware?: string;
  readonly exitStatus?: number;
  readonly refused?: boolean;
  /** An asciicast file's lines after its header. */
  readonly transcript?: readonly unknown[];
}

/** The key id of a session's key, as the site database has them. */
export const keyIdOf = (sessionId: string, place: number): string => {
  const hex = createHash("sha256").update(`${sessionId} ${place}`).digest("hex").toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
};

const castOf = (events: readonly unknown[], sessionId: string): string => {
  const header = {
    version: 3,
    term: { cols: 80, rows: 24, type: "xterm" },
    timestamp: 1_700_000_000,
    title: sessionId,
  };
  return [header, ...events].map((line) => `${JSON.stringify(line)}\n`).join("");
};

/** A session on the record, from its connection to its end. */
const eventsOf = function* (session: TestSession): Generator<DatedEvent> {
  const { sessionId, startedAt, computers, command = "Get-RecoveryKeys", exitStatus = 0, transcript } = session;
  const connection = {
    connectionId: `C-${sessionId}`,
    clientAddress: session.clientAddress ?? "192.0.2.7",
  };
  const origin = { ...connection, sessionId, connectedUser: session.user };
  const how = transcript === undefined ? "exec" : "interactive";
  const invocation = { ...origin, invocationId: `I-${sessionId}`, command };
  const reason = session.reason === undefined ? {} : { reason: session.reason };
  let seconds = 0;
  const dated = (event: AuditEvent): DatedEvent => {
    seconds += 1;
    return { at: new Date(startedAt.getTime() + (seconds - 3) * 1000), event };
  };
  yield dated({ type: "connection-opened", ...connection, clientSoftware: session.clientSoftware ?? "OpenSSH_9.2p1" });
  yield dated({
    type: "authentication",
    ...connection,
    claimedUser: session.user,
    outcome: "accepted",
    method: "publickey",
  });
  const file = transcript === undefined ? {} : { transcript: `${sessionId}.cast` };
  yield dated({ type: "session-started", ...origin, mode: how, ...file });
  if (session.refused === true) {
    yield dated({ type: "command-refused", ...origin, reason: "unknown", lineLength: 8 });
  } else {
    const [computer = ""] = computers;
    const parameters: Record<string, string> = computer === "" ? {} : { ComputerName: computer };
    yield dated({
      type: "command-started",
      ...invocation,
      parameters,
      pipeline: [],
      roleCapability: "operator",
      ...reason,
    });
    const keys = computers.map((computerName, place) => ({ keyId: keyIdOf(sessionId, place), computerName }));
    for (let first = 0; first < keys.length; first += 1024) {
      yield dated({ type: "disclosure", ...invocation, how, ...reason, keys: keys.slice(first, first + 1024) });
    }
    const outcome = exitStatus === 0 ? "succeeded" : "failed";
    yield dated({ type: "command-finished", ...invocation, outcome, exitStatus, rows: keys.length, durationMs: 3 });
  }
  const digest =
    transcript === undefined
      ? {}
      : { transcriptDigest: createHash("sha256").update(castOf(transcript, sessionId)).digest("hex") };
  yield dated({ type: "session-ended", ...origin, exitStatus, reason: "exit", ...digest });
  yield dated({ type: "connection-closed", ...connection });
};

/** Writes a signed record of these sessions at once, instead of through `append` and its fsyncs. */
export const writeSessions = (dataDirectory: string, sessions: Iterable<TestSession>): void => {
  const paths = { log: join(dataDirectory, "audit", "log"), transcripts: join(dataDirectory, "audit", "transcripts") };
  for (const folder of Object.values(paths)) mkdirSync(folder, { recursive: true });
  const { privateKey, publicKey } = newKey();
  writeFileSync(join(dataDirectory, "log-key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const tree = new CompactRange();
  const lines: string[] = [];
  let origin = "";
  for (const session of sessions) {
    if (session.transcript !== undefined) {
      writeFileSync(
        join(paths.transcripts, `${session.sessionId}.cast`),
        castOf(session.transcript, session.sessionId),
      );
    }
    for (const { at, event } of eventsOf(session)) {
      const line = JSON.stringify({ seq: tree.size + 1, at: at.toISOString(), uptimeMs: tree.size, event });
      const leaf = leafHash(Buffer.from(line));
      if (tree.size === 0) origin = originOf(leaf);
      tree.append(leaf);
      lines.push(`${line}\n`);
    }
  }
  writeFileSync(join(paths.log, "000000000001.ndjson"), lines.join(""));
  const checkpoint = signCheckpoint({ origin, size: tree.size, root: tree.root() }, [privateKey]);
  writeFileSync(join(dataDirectory, "audit", "checkpoint-history"), checkpoint);
  writeFileSync(join(dataDirectory, "audit", "checkpoint"), checkpoint);
};

const people = ["alice", "bob", "carol", "dave", "support", "exporter"];

/** Sessions over a year, from a seed that is their number: every run makes the same. */
export const manySessions = function* (count: number): Generator<TestSession> {
  for (let place = 0; place < count; place += 1) {
    const dice = createHash("sha256").update(`session ${place}`).digest();
    const roll = (at: number, of: number): number => (dice[at] ?? 0) % of;
    yield {
      sessionId: `S-${dice.toString("hex", 16, 24)}`,
      user: people[roll(0, people.length)] ?? "alice",
      startedAt: new Date(Date.UTC(2025, 0, 1) + Math.floor((place * 365 * 86_400_000) / count)),
      computers: Array.from(
        { length: roll(1, 4) },
        (_, key) => `PC-${String((roll(2, 250) * 7 + key) % 900).padStart(4, "0")}`,
      ),
      command: roll(3, 10) === 0 ? "verify-cert" : "Get-RecoveryKeys",
      reason: "Lost PIN",
      clientAddress: `192.0.2.${roll(4, 250)}`,
      exitStatus: roll(5, 20) === 0 ? 3 : 0,
      refused: roll(6, 15) === 0,
    };
  }
};
