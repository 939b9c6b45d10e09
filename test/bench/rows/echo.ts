import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { percentile, takeTurns, type Outcome } from "../compare.ts";
import { openSession, untilIdle, type OpenSession } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";

const ourPrompt = /PS [^\n]*> ?/;
const peerPrompt = /bench> $/;
const backspace = "\u007F";
/** A fast typist; also long enough for a screen to have painted everything that it has to say to one key. */
const betweenKeysMs = 40;

/** Letters, each taken back again: the line stays short, and every key changes the screen. */
const type = async (session: OpenSession, keys: number): Promise<readonly number[]> => {
  const each: number[] = [];
  for (let key = 0; key < keys; key += 1) {
    each.push(await session.press(key % 2 === 0 ? "g" : backspace));
    await delay(betweenKeysMs);
  }
  return each;
};

/** One export after another, until it is told to stop. */
const keepExporting = (target: readonly string[], command: string): (() => Promise<void>) => {
  const stop = new AbortController();
  let running = spawn("ssh", [...target, command], { stdio: "ignore" });
  const exporting = (async () => {
    while (!stop.signal.aborted) {
      await once(running, "exit");
      if (!stop.signal.aborted) running = spawn("ssh", [...target, command], { stdio: "ignore" });
    }
  })();
  return async () => {
    stop.abort();
    running.kill("SIGTERM");
    await exporting;
  };
};

const frameMs = 16;

const rowsOf = (when: string, rounds: { ours: readonly (readonly number[])[]; peer: readonly (readonly number[])[] }) =>
  [
    { part: 0.5, name: "p50" },
    { part: 0.99, name: "p99" },
  ].map(({ part, name }): Outcome => ({
    name: `keystroke echo ${when}, ${name}`,
    unit: "ms",
    ours: [percentile(rounds.ours.flat(), part)],
    peer: [percentile(rounds.peer.flat(), part)],
    ...(name === "p99" ? { reach: { atMost: frameMs }, absolute: true } : {}),
  }));

export const keystrokeEcho: BenchRow = async (stage: Stage) => {
  const [ours, peer] = [
    await openSession(await stage.ours("support"), ourPrompt),
    await openSession(await stage.theirs(), peerPrompt),
  ];
  const perRound = Math.max(4, Math.floor(stage.sizes.calls / stage.sizes.rounds));
  await type(ours, 4);
  await type(peer, 4);
  await untilIdle((await stage.endpoint()).pid);
  const typed = () =>
    takeTurns(
      stage.sizes.rounds,
      () => type(ours, perRound),
      () => type(peer, perRound),
    );
  const idle = await typed();
  const exporting = {
    ours: [await stage.ours("exporter"), "Get-RecoveryKeys -raw -Format ndjson"] as const,
    peer: [await stage.theirs(), "python"] as const,
  };
  const under = (side: "ours" | "peer", session: OpenSession) => async (): Promise<readonly number[]> => {
    const [target, command] = exporting[side];
    const stop = keepExporting(target, command);
    await delay(betweenKeysMs * 10);
    const each = await type(session, perRound);
    await stop();
    return each;
  };
  const busy = await takeTurns(stage.sizes.rounds, under("ours", ours), under("peer", peer));
  await Promise.all([ours.close(), peer.close()]);
  return [...rowsOf("idle", idle), ...rowsOf("during another user's export", busy)];
};
