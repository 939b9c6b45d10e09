import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import { newKey } from "./record.ts";

const disclosureAt = (seq: number): object => {
  const sessionId = `S-${createHash("sha1").update(String(seq)).digest("hex").slice(0, 16)}`;
  return {
    type: "disclosure",
    connectionId: "C-0123456789abcdef",
    sessionId,
    clientAddress: "192.0.2.10",
    connectedUser: "support",
    invocationId: "I-0123456789ab",
    command: "Get-RecoveryKeys",
    how: "exec",
    keys: [{ keyId: sessionId, computerName: `PC-${seq}` }],
  };
};

/** Sessions of five events each, one after the other, a second an event. */
export const sessionEventAt = (seq: number): object => {
  const number = Math.floor((seq - 1) / 5);
  const origin = {
    connectionId: "C-0123456789abcdef",
    sessionId: `S-${number.toString(16).padStart(16, "0")}`,
    clientAddress: "192.0.2.10",
    connectedUser: `user${number % 50}`,
  };
  const command = { ...origin, invocationId: "I-0123456789ab", command: "Get-RecoveryKeys" };
  const events = [
    { type: "session-started", ...origin, mode: "exec" },
    { type: "command-started", ...command, parameters: {}, pipeline: [], roleCapability: "operator" },
    { type: "disclosure", ...command, how: "exec", keys: [{ keyId: `ID-${number}`, computerName: `PC-${number}` }] },
    { type: "command-finished", ...command, outcome: "succeeded", exitStatus: 0, rows: 1, durationMs: 3 },
    { type: "session-ended", ...origin, exitStatus: 0 },
  ];
  return events[(seq - 1) % 5] ?? origin;
};

/** A record of this many events with checkpoints, written at once instead of through `append` and its fsyncs. */
export const writeManyEvents = (dataDirectory: string, events: number, eventAt = disclosureAt): void => {
  mkdirSync(join(dataDirectory, "audit", "log"), { recursive: true });
  mkdirSync(join(dataDirectory, "audit", "transcripts"), { recursive: true });
  const { privateKey, publicKey } = newKey();
  writeFileSync(join(dataDirectory, "log-key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const tree = new CompactRange();
  const checkpoints: string[] = [];
  let origin = "";
  let fd: number | undefined;
  let lines: string[] = [];
  const flush = (): void => {
    if (fd !== undefined) writeSync(fd, lines.join(""));
    lines = [];
  };
  for (let seq = 1; seq <= events; seq += 1) {
    if ((seq - 1) % 200_000 === 0) {
      flush();
      if (fd !== undefined) closeSync(fd);
      fd = openSync(join(dataDirectory, "audit", "log", `${String(seq).padStart(12, "0")}.ndjson`), "w");
    }
    const line = JSON.stringify({
      seq,
      at: new Date(1_700_000_000_000 + seq * 1000).toISOString(),
      uptimeMs: seq,
      event: eventAt(seq),
    });
    const leaf = leafHash(Buffer.from(line));
    if (seq === 1) origin = originOf(leaf);
    tree.append(leaf);
    lines.push(`${line}\n`);
    if (lines.length === 10_000) flush();
    if (seq % 1000 === 0 || seq === events) {
      checkpoints.push(signCheckpoint({ origin, size: seq, root: tree.root() }, [privateKey]));
    }
  }
  flush();
  if (fd !== undefined) closeSync(fd);
  writeFileSync(join(dataDirectory, "audit", "checkpoint-history"), checkpoints.join(""));
  writeFileSync(join(dataDirectory, "audit", "checkpoint"), checkpoints.at(-1) ?? "");
};
