import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditEvent } from "../../server/audit/event.ts";
import { openRecord, type OpenRecord, type RecordOptions } from "../../server/audit/open-record.ts";
import { transcriptsIn } from "../../server/audit/transcript.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

export interface MadeRecord {
  readonly dataDirectory: string;
  readonly key: KeyObject;
  /** Kept elsewhere, as `--public-key`. */
  readonly publicKey: KeyObject;
}

export const newKey = (): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =>
  generateKeyPairSync("ed25519");

export const openAt = (
  { dataDirectory, key }: Pick<MadeRecord, "dataDirectory" | "key">,
  options: Partial<RecordOptions> = {},
): Promise<OpenRecord> =>
  openRecord({
    server: "pep-1",
    directory: join(dataDirectory, "audit"),
    key,
    runtime: testRuntime(),
    ...options,
  });

const disclosureOf = (sessionId: string, keyId: string): AuditEvent => ({
  type: "disclosure",
  sessionId,
  connectedUser: "support",
  invocationId: `I-${keyId}`,
  command: "Get-RecoveryKeys",
  how: "interactive",
  reason: "Lost PIN",
  keys: [{ keyId, computerName: "PC-1" }],
});

/** A session with a transcript, from start to end. */
export const recordSession = async (record: OpenRecord, dataDirectory: string, sessionId: string): Promise<void> => {
  const origin = { sessionId, connectedUser: "support", clientAddress: "192.0.2.1" };
  const open = transcriptsIn(join(dataDirectory, "audit", "transcripts"), {
    now: () => new Date(),
    clockMs: () => performance.now(),
  });
  const transcript = await open({ sessionId, columns: 80, rows: 24, term: "xterm" });
  await record.append({ type: "session-started", ...origin, mode: "interactive", transcript: transcript.fileName });
  await transcript.output(`this is ${sessionId}\r\n`);
  await record.append(disclosureOf(sessionId, `KEY-${sessionId}`));
  const closed = await transcript.close(0);
  await record.append({ type: "session-ended", ...origin, exitStatus: 0, ...closed, reason: "exit" });
};

export const emptyRecord = (): MadeRecord => {
  const dataDirectory = join(temporaryDirectory(), "data");
  mkdirSync(join(dataDirectory, "audit"), { recursive: true });
  const { privateKey, publicKey } = newKey();
  writeFileSync(join(dataDirectory, "log-key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  return { dataDirectory, key: privateKey, publicKey };
};

/** Three sessions over several segments, with a checkpoint after each. */
export const smallRecord = async (options: Partial<RecordOptions> = {}): Promise<MadeRecord> => {
  const made = emptyRecord();
  const record = await openAt(made, { segmentBytes: 900, ...options });
  for (const sessionId of ["S-1", "S-2", "S-3"]) {
    await recordSession(record, made.dataDirectory, sessionId);
    await record.checkpoint();
  }
  await record.append({ type: "server-stopped", reason: "SIGTERM" });
  await record.close();
  return made;
};

/** A copy to do things to. */
export const copyOf = (made: MadeRecord): MadeRecord => {
  const dataDirectory = join(temporaryDirectory(), "copy");
  cpSync(made.dataDirectory, dataDirectory, { recursive: true });
  return { ...made, dataDirectory };
};

export const edit = (path: string, change: (text: string) => string): void => {
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (before === after) throw new Error(`nothing was changed in ${path}`);
  writeFileSync(path, after);
};
