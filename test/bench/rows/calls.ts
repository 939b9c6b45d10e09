import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { percentile, takeTurns, type Outcome } from "../compare.ts";
import { clientsAloneMs, timed, untilIdle } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";

/** A new client process for one key; another key each time, in an order far from the one they are stored in. */
const caller = (stage: Stage, target: readonly string[]) => {
  let number = 0;
  return async (): Promise<number> => {
    number = (number + 7919) % stage.keys.length;
    const ran = await timed("ssh", [...target, `Get-RecoveryKeys -RecoveryKeyId ${stage.keys[number]?.keyId}`]);
    if (ran.bytes < 55) throw new Error("an answer without a recovery key");
    return ran.ms;
  };
};

const bothCallers = async (stage: Stage) => ({
  ours: caller(stage, await stage.ours("support")),
  peer: caller(stage, await stage.theirs()),
});

/** A server that runs for years has its code compiled; sshd's is compiled when it is built. */
const warmUp = async (stage: Stage, ...calls: readonly (() => Promise<number>)[]): Promise<void> => {
  await untilIdle((await stage.endpoint()).pid);
  for (const call of calls) for (let count = 0; count < Math.min(100, stage.sizes.calls); count += 1) await call();
};

export const oneKey: BenchRow = async (stage) => {
  const { ours, peer } = await bothCallers(stage);
  await warmUp(stage, ours, peer);
  const measured = await takeTurns(stage.sizes.rounds * 3, ours, peer);
  return [{ name: "one key by exec, client start to exit", unit: "ms", ...measured, reach: { atMost: 0.25 } }];
};

/** What of the above is the client alone: the same call over a connection that is there already costs no key exchange. */
export const clientAlone: BenchRow = async (stage) => {
  const ours: number[] = [];
  for (let round = 0; round < stage.sizes.rounds * 3; round += 1) ours.push((await timed("ssh", ["-V"])).ms);
  return [{ name: "for comparison: `ssh -V`, a client that does nothing", unit: "ms", ours }];
};

const inTurn = async (count: number, call: () => Promise<number>): Promise<readonly number[]> => {
  const each: number[] = [];
  for (let index = 0; index < count; index += 1) each.push(await call());
  return each;
};

const compareMany = (
  name: string,
  rounds: readonly (readonly number[])[],
  peerRounds: readonly (readonly number[])[],
  totals: Pick<Outcome, "ours" | "peer">,
): readonly Outcome[] => [
  { name, unit: "ms", ...totals, reach: { atMost: 0.25 } },
  {
    name: `${name}, p99 of a call`,
    unit: "ms",
    ours: [percentile(rounds.flat(), 0.99)],
    peer: [percentile(peerRounds.flat(), 0.99)],
    reach: { atMost: 0.5 },
  },
];

const clocked = async (work: () => Promise<readonly number[]>) => {
  const startedAt = performance.now();
  const aloneAtStart = clientsAloneMs();
  const each = await work();
  return { each, ms: performance.now() - startedAt, aloneMs: clientsAloneMs() - aloneAtStart };
};

export const manyCalls: BenchRow = async (stage) => {
  const { ours, peer } = await bothCallers(stage);
  const { calls, parallel, rounds } = stage.sizes;
  const perRound = Math.max(1, Math.floor(calls / rounds));
  const sequential = await takeTurns(
    rounds,
    () => clocked(() => inTurn(perRound, ours)),
    () => clocked(() => inTurn(perRound, peer)),
  );
  const together = (call: () => Promise<number>) => () =>
    clocked(() => Promise.all(Array.from({ length: parallel }, call)));
  const atOnce = await takeTurns(rounds, together(ours), together(peer));
  const bound: Outcome = {
    name: `${parallel} calls at once, their clients alone: processor time over the processors there are`,
    unit: "ms",
    ours: atOnce.ours.map(({ aloneMs }) => aloneMs),
    peer: atOnce.peer.map(({ ms }) => ms),
  };
  const outcomes = [
    { name: `${perRound * rounds} calls one after the other, ${perRound} a round`, of: sequential },
    { name: `${parallel} calls at once`, of: atOnce },
  ].flatMap(({ name, of }) =>
    compareMany(
      name,
      of.ours.map(({ each }) => each),
      of.peer.map(({ each }) => each),
      { ours: of.ours.map(({ ms }) => ms), peer: of.peer.map(({ ms }) => ms) },
    ),
  );
  return [...outcomes, bound];
};

export const controlMaster: BenchRow = async (stage) => {
  // A path of its own: a control socket's name may have about a hundred bytes.
  const sockets = mkdtempSync(join(tmpdir(), "pepcm-"));
  const over = async (name: string, target: readonly string[]) => {
    const options = ["-o", `ControlPath=${join(sockets, name)}`];
    await timed("ssh", [...options, "-o", "ControlMaster=yes", "-o", "ControlPersist=yes", "-fN", ...target]);
    stage.onEnd(() => timed("ssh", [...options, "-O", "exit", ...target]).then(() => undefined));
    return {
      call: caller(stage, [...options, ...target]),
      ask: async () => (await timed("ssh", [...options, "-O", "check", ...target])).ms,
    };
  };
  const ours = await over("o", await stage.ours("support"));
  const peer = await over("p", await stage.theirs());
  await warmUp(stage, ours.call, peer.call);
  const measured = await takeTurns(stage.sizes.rounds * 5, ours.call, peer.call);
  const alone = await takeTurns(stage.sizes.rounds * 5, ours.ask, peer.call);
  return [
    {
      name: "one key over a connection that is there (ControlMaster)",
      unit: "ms",
      ...measured,
      reach: { atMost: 0.5 },
    },
    {
      name: "the client of that alone: it asks whether the connection is there (`ssh -O check`)",
      unit: "ms",
      ...alone,
    },
  ];
};
