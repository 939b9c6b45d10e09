import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeSync, closeSync } from "node:fs";
import { join } from "node:path";
import { takeTurns, type Outcome } from "../compare.ts";
import { timed } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";
import { root } from "../../harness/endpoint.ts";

const exporting = "Get-RecoveryKeys -raw -Format ndjson";

/** Rows a second from the client's start to its end; an answer that lacks a row is an error. */
const rowsASecond = (target: readonly string[], command: string, least: number) => async (): Promise<number> => {
  const { lines, ms } = await timed("ssh", [...target, command]);
  if (lines < least) throw new Error(`${command}: ${lines} rows of ${least}`);
  return (lines / ms) * 1000;
};

const bulkAgainst = async (stage: Stage, command: string): Promise<Pick<Outcome, "ours" | "peer">> => {
  const count = stage.keys.length;
  const ours = rowsASecond(await stage.ours("exporter"), exporting, count);
  const peer = rowsASecond(await stage.theirs(), command, count);
  return takeTurns(Math.max(2, Math.ceil(stage.sizes.rounds / 2)), ours, peer);
};

export const bulk: BenchRow = async (stage) => {
  const size = stage.keys.length.toLocaleString("en-US");
  return [
    {
      name: `bulk: ${size} keys, ndjson, against python3-cryptography`,
      unit: "rows/s",
      ...(await bulkAgainst(stage, "python")),
      reach: { atLeast: 1.5 },
    },
    {
      name: `bulk: ${size} keys, ndjson, against sqlite3 on plain text`,
      unit: "rows/s",
      ...(await bulkAgainst(stage, "sqlite3")),
      reach: { atLeast: 0.25 },
    },
  ];
};

const startRawServer = async (stage: Stage, keysDirectory: string): Promise<number> => {
  const server = spawn(
    process.execPath,
    [join(root, "test", "bench", "raw-server.ts"), keysDirectory, String(stage.sizes.rawBytes)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  stage.onEnd(async () => {
    server.stdin.end();
    if (server.exitCode === null) await once(server, "exit");
  });
  const [first] = await once(server.stdout, "data");
  return Number(String(first));
};

export const rawChannel: BenchRow = async (stage) => {
  const endpoint = await stage.endpoint();
  const { directory } = await stage.peer();
  const file = openSync(join(directory, "raw"), "w");
  const piece = Buffer.alloc(64 * 1024, "0123456-");
  for (let left = stage.sizes.rawBytes; left > 0; left -= piece.length)
    writeSync(file, piece, 0, Math.min(left, piece.length));
  closeSync(file);
  const key = join(endpoint.dataDirectory, "demo", "keys", "support");
  const port = await startRawServer(stage, join(endpoint.dataDirectory, "authorized-keys"));
  const outcomes: Outcome[] = [];
  for (const cipher of ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"]) {
    // The first option counts: these come before what the stage gives every row.
    const choice = ["-o", `Ciphers=${cipher}`];
    const anyHost = [
      "-F",
      "none",
      "-o",
      "StrictHostKeyChecking=no",
      "-o",
      "UserKnownHostsFile=/dev/null",
      "-o",
      "LogLevel=ERROR",
    ];
    const ours = [
      ...choice,
      ...anyHost,
      "-o",
      "IdentitiesOnly=yes",
      "-i",
      key,
      "-p",
      String(port),
      "support@127.0.0.1",
    ];
    const peer = await stage.theirs(choice);
    const rate = (target: readonly string[]) => async (): Promise<number> => {
      const { bytes, ms } = await timed("ssh", [...target, "cat"]);
      if (bytes !== stage.sizes.rawBytes) throw new Error(`${bytes} bytes of ${stage.sizes.rawBytes}`);
      return bytes / ms / 1000;
    };
    const measured = await takeTurns(Math.max(2, Math.ceil(stage.sizes.rounds / 2)), rate(ours), rate(peer));
    outcomes.push({ name: `raw channel, ${cipher.split("@")[0]}`, unit: "MB/s", ...measured, reach: { atLeast: 0.9 } });
  }
  return outcomes;
};
