import { percentile, type Outcome } from "../compare.ts";
import { connect, lookUp } from "../connection.ts";
import type { BenchRow } from "../stage.ts";

/** Sessions at the same time, each asking for one key after the other: what the log then takes a second, and how long a call waits. */
export const fiftySessions: BenchRow = async (stage) => {
  const endpoint = await stage.endpoint();
  const count = Math.min(50, stage.sizes.calls);
  const clients = await Promise.all(Array.from({ length: count }, () => connect(endpoint, "support")));
  const eventsOf = (): number => endpoint.events().length;
  const rates: number[] = [];
  const waits: number[] = [];
  const perSession = Math.max(1, Math.floor(stage.sizes.calls / 20));
  let number = 0;
  const ask = async (client: (typeof clients)[number]): Promise<void> => {
    for (let call = 0; call < perSession; call += 1) {
      number = (number + 7919) % stage.keys.length;
      const key = stage.keys[number];
      if (key === undefined) throw new Error("the stage has no keys");
      waits.push(await lookUp(client, `Get-RecoveryKeys -RecoveryKeyId ${key.keyId}`, key.recoveryPassword));
    }
  };
  for (let round = -1; round < stage.sizes.rounds; round += 1) {
    const before = eventsOf();
    const startedAt = performance.now();
    await Promise.all(clients.map(ask));
    const ms = performance.now() - startedAt;
    // code and caches are cold in the first
    if (round < 0) waits.length = 0;
    else rates.push(((eventsOf() - before) / ms) * 1000);
  }
  for (const client of clients) client.end();
  const outcome = (name: string, unit: Outcome["unit"], ours: readonly number[]): Outcome => ({ name, unit, ours });
  return [
    outcome(`${count} sessions at once, one key after the other: events on the record`, "appends/s", rates),
    outcome(`${count} sessions at once, a call's p50`, "ms", [percentile(waits, 0.5)]),
    outcome(`${count} sessions at once, a call's p99`, "ms", [percentile(waits, 0.99)]),
  ];
};
