import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import { newKey } from "./record.ts";

/** A record of this many events with checkpoints, written at once instead of through `append` and its fsyncs. */
export const writeManyEvents = (dataDirectory: string, events: number): void => {
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
    const sessionId = `S-${createHash("sha1").update(String(seq)).digest("hex").slice(0, 16)}`;
    const event = {
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
    const line = JSON.stringify({ seq, at: new Date(1_700_000_000_000 + seq).toISOString(), uptimeMs: seq, event });
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
