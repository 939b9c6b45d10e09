/**
 * 16 connections of one user ask for answers for a minute and read none: what that costs the server's memory, and how long
 * an honest client waits meanwhile. Beside stock ssh2 and sshd, one after the other: node test/bench/reply-flood.ts [SECONDS]
 * Loopback only. Prints a line of JSON for each server.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { launch, root } from "../harness/endpoint.ts";
import { startPeer } from "./peer.ts";
import { pssKib, timed } from "./programs.ts";

interface Side {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly user: string;
  readonly privateKey: string;
  /** `ssh`'s arguments for the honest client's call. */
  readonly honest: readonly string[];
}

const seconds = Number(process.argv[2] ?? 60);
const connections = 16;
const directory = mkdtempSync(join(tmpdir(), "pep-flood-"));
const closers: (() => Promise<void>)[] = [];

const measure = async (side: Side): Promise<void> => {
  // In a thread of its own: encrypting the flood must not keep this one from seeing an answer.
  const { port, user, privateKey } = side;
  const flood = new Worker(new URL("peer/flood.ts", import.meta.url), {
    workerData: { port, user, privateKey, seconds, connections },
  });
  const ended = once(flood, "exit");
  await once(flood, "message");
  const before = pssKib(side.pid);
  const untilMs = performance.now() + seconds * 1000;
  flood.postMessage("go", []);
  const honest: number[] = [];
  let failed = 0;
  let most = before;
  while (performance.now() < untilMs) {
    await timed("ssh", side.honest).then(
      ({ ms }) => honest.push(ms),
      () => (failed += 1),
    );
    most = Math.max(most, pssKib(side.pid));
    await delay(1_000);
  }
  await ended;
  const sorted = honest.toSorted((left, right) => left - right);
  console.log(
    JSON.stringify({
      server: side.name,
      grewMiB: Math.round((most - before) / 1024),
      honestCalls: honest.length,
      failed,
      medianMs: Math.round(sorted[Math.floor(sorted.length / 2)] ?? Number.NaN),
      slowestMs: Math.round(sorted.at(-1) ?? Number.NaN),
    }),
  );
};

try {
  const endpoint = await launch({ dataDirectory: join(directory, "pep") });
  closers.push(endpoint.end);
  const keyFile = join(endpoint.dataDirectory, "demo", "keys", "guest");
  const privateKey = readFileSync(keyFile, "utf8");
  const plain = [
    "-F",
    "none",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
  ];
  await measure({
    name: "pep",
    port: endpoint.port,
    pid: endpoint.pid,
    user: "guest",
    privateKey,
    honest: [...endpoint.sshArguments("support", ["-o", "LogLevel=ERROR"]), "Get-Command"],
  });

  const stock = spawn(process.execPath, [join(root, "test", "bench", "peer", "stock-ssh2.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  closers.push(async () => {
    stock.stdin.end();
    await once(stock, "exit");
  });
  const [line] = (await once(stock.stdout, "data")) as [Buffer]; // a pipe without an encoding gives buffers
  const stockPort = Number(String(line).trim());
  const stockTarget = ["-i", keyFile, "-p", String(stockPort), "anybody@127.0.0.1"];
  await measure({
    name: "stock ssh2",
    port: stockPort,
    pid: stock.pid ?? 0,
    user: "anybody",
    privateKey,
    honest: [...plain, ...stockTarget, "anything"],
  });

  const peer = await startPeer(directory, `${keyFile}.pub`, (close) => closers.push(close));
  await measure({
    name: "sshd",
    port: peer.port,
    pid: peer.pid,
    user: peer.user,
    privateKey,
    honest: [...plain, "-i", keyFile, "-p", String(peer.port), `${peer.user}@127.0.0.1`, "nothing"],
  });
} finally {
  for (const close of closers.toReversed()) await close();
  rmSync(directory, { recursive: true, force: true });
}
