import { takeTurns, type Outcome } from "../compare.ts";
import { clientsAloneMs, holdConnection, openSession, pssKib, untilIdle, type OpenSession } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";

const ourPrompt = /PS [^\n]*> ?/;
const peerPrompt = /bench> $/;

const openers = async (stage: Stage) => {
  const ours = await stage.ours("support");
  const theirs = await stage.theirs();
  return {
    ours: (): Promise<OpenSession> => openSession(ours, ourPrompt),
    peer: (): Promise<OpenSession> => openSession(theirs, peerPrompt),
  };
};

export const firstPrompt: BenchRow = async (stage) => {
  const { ours, peer } = await openers(stage);
  const once = (open: () => Promise<OpenSession>) => async (): Promise<number> => {
    const session = await open();
    await session.close();
    return session.promptMs;
  };
  await once(ours)();
  await once(peer)();
  await untilIdle((await stage.endpoint()).pid);
  const measured = await takeTurns(stage.sizes.rounds * 2, once(ours), once(peer));
  return [{ name: "first prompt", unit: "ms", ...measured, reach: { atMost: 0.25 } }];
};

export const logIns: BenchRow = async (stage) => {
  const { ours, peer } = await openers(stage);
  const count = stage.sizes.sessions;
  const all = (open: () => Promise<OpenSession>) => async () => {
    const startedAt = performance.now();
    const aloneAtStart = clientsAloneMs();
    const sessions = await Promise.all(Array.from({ length: count }, open));
    const ms = performance.now() - startedAt;
    await Promise.all(sessions.map((session) => session.close()));
    return { ms, aloneMs: clientsAloneMs() - aloneAtStart };
  };
  await all(ours)(); // as many UI processes as so many sessions want; they stay for seconds
  await untilIdle((await stage.endpoint()).pid);
  const { ours: rounds, peer: peerRounds } = await takeTurns(stage.sizes.rounds, all(ours), all(peer));
  const peerMs = peerRounds.map(({ ms }) => ms);
  return [
    {
      name: `${count} log-ins at once, until all have prompts`,
      unit: "ms",
      ours: rounds.map(({ ms }) => ms),
      peer: peerMs,
      reach: { atMost: 0.5 },
    },
    {
      name: `${count} log-ins at once, their clients alone: processor time over the processors there are`,
      unit: "ms",
      ours: rounds.map(({ aloneMs }) => aloneMs),
      peer: peerMs,
    },
  ];
};

/** Connections that are logged in and have no session (`ssh -N`), as ControlMaster keeps them. */
const idleConnections = async (stage: Stage): Promise<readonly Outcome[]> => {
  const count = stage.sizes.sessions;
  const each = async (pid: number, target: readonly string[]): Promise<number> => {
    const before = pssKib(pid);
    const clients = await Promise.all(Array.from({ length: count }, () => holdConnection(target)));
    const added = pssKib(pid) - before;
    await Promise.all(clients.map((client) => client.close()));
    return added / count;
  };
  return [
    {
      name: `memory: each of ${count} connections without a session (PSS)`,
      unit: "KiB",
      ours: [await each((await stage.endpoint()).pid, await stage.ours("support"))],
      peer: [await each((await stage.peer()).pid, await stage.theirs())],
      reach: { atMost: 2.5 },
    },
  ];
};

/** At rest, then with more and more sessions of one user; each figure is what a session adds. */
export const memory: BenchRow = async (stage) => {
  const { ours, peer } = await openers(stage);
  const sides = [
    { pid: (await stage.endpoint()).pid, open: ours },
    { pid: (await stage.peer()).pid, open: peer },
  ];
  const idle = await idleConnections(stage);
  const atRest = sides.map(({ pid }) => pssKib(pid));
  const outcomes: Outcome[] = [
    { name: "memory: server at rest (PSS)", unit: "KiB", ours: [atRest[0] ?? 0], peer: [atRest[1] ?? 0] },
  ];
  const open: OpenSession[][] = [[], []];
  for (const count of [1, 10, 50].filter((wanted) => wanted <= Math.max(1, stage.sizes.sessions * 3))) {
    const each: number[] = [];
    for (const [side, { pid, open: more }] of sides.entries()) {
      const sessions = open[side] ?? [];
      while (sessions.length < count) sessions.push(await more());
      each.push((pssKib(pid) - (atRest[side] ?? 0)) / count);
    }
    outcomes.push({
      name: `memory: each of ${count} interactive session${count === 1 ? "" : "s"} (PSS)`,
      unit: "KiB",
      ours: [each[0] ?? 0],
      peer: [each[1] ?? 0],
      reach: { atMost: 2.5 },
    });
  }
  await Promise.all(open.flat().map((session) => session.close()));
  return [...idle, ...outcomes];
};
