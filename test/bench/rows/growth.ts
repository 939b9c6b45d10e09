import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type ssh2 from "ssh2";
import { launch, pep, type Endpoint } from "../../harness/endpoint.ts";
import { median, type Outcome } from "../compare.ts";
import { connect, lookUp } from "../connection.ts";
import { makeKeys, writeCsv, type BenchKey } from "../keys.ts";
import { liftBudgets, liftLimits } from "../lift-limits.ts";
import { pssKib } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";

/** So many keys of every site are real; the rest is there to be in the way. */
const realKeys = 500;

/**
 * Fills a site up to `count` keys without going through the import, which takes half an hour for ten million. The rows
 * are what it would write, but for their cells: random bytes of the right length, which no look-up opens.
 */
const fill = (file: string, count: number): void => {
  const site = new DatabaseSync(file);
  // In memory, 4 GB for ten million keys: what doesn't fit goes to the log again and again, as the ids come in no order.
  site.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000000; BEGIN");
  const base = 10_000_000_000;
  site.exec(`CREATE TEMP TABLE filler AS
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${Math.max(1, count - realKeys)})
    SELECT i, hex(randomblob(16)) AS h FROM n`);
  const guid = (hex: string): string =>
    `substr(${hex}, 1, 8) || '-' || substr(${hex}, 9, 4) || '-' || substr(${hex}, 13, 4) || '-' || substr(${hex}, 17, 4) || '-' || substr(${hex}, 21)`;
  site.exec(
    `INSERT INTO RecoveryAndHardwareCore_Machines SELECT ${base} + i, printf('FILL-%09d', i), printf('FILL-%09d', i) FROM filler`,
  );
  site.exec(
    `INSERT INTO RecoveryAndHardwareCore_Volumes SELECT ${base} + i, ${guid("h")}, 1, 1 FROM filler ORDER BY 2`,
  );
  site.exec(
    `INSERT INTO RecoveryAndHardwareCore_Machines_Volumes (MachineId, VolumeId) SELECT ${base} + i, ${base} + i FROM filler`,
  );
  site.exec(`INSERT INTO RecoveryAndHardwareCore_Keys
      (Id, VolumeId, RecoveryKeyId, ProtectorKind, RecoveryKey, LastUpdateTime, LastUpdateTimeGiven)
    SELECT ${base} + i, ${base} + i, ${guid("h")}, (SELECT min(ProtectorKind) FROM RecoveryAndHardwareCore_Keys WHERE RecoveryKey IS NOT NULL), randomblob(84), 1700000000000 + i, 1 FROM filler ORDER BY 3`);
  site.exec("COMMIT; DROP TABLE filler; PRAGMA optimize; PRAGMA journal_mode = WAL");
  site.close();
};

const kinds = [
  { by: "id", line: ({ keyId }: BenchKey) => `-RecoveryKeyId ${keyId}` },
  { by: "prefix", line: ({ keyId }: BenchKey) => `-RecoveryKeyId ${keyId.slice(0, 8)}` },
  { by: "computer", line: ({ computerName }: BenchKey) => `-ComputerName ${computerName}` },
] as const;

interface Site {
  readonly count: number;
  readonly endpoint: Endpoint;
  readonly client: ssh2.Client;
}

/** @returns its data directory */
const makeSite = async (stage: Stage, keys: readonly BenchKey[], count: number): Promise<string> => {
  const dataDirectory = join(stage.directory, `growth-${count}`);
  const csv = join(stage.directory, "growth.csv");
  writeCsv(keys, csv);
  await pep(["init", "--demo", "--data-dir", dataDirectory]);
  liftLimits(join(dataDirectory, "jea-roles.json"));
  liftBudgets(join(dataDirectory, "endpoint.json"));
  const imported = await pep(["import", "--data-dir", dataDirectory, csv]);
  if (imported.status !== 0) throw new Error(imported.stderr);
  fill(join(dataDirectory, "site.sqlite"), count);
  return dataDirectory;
};

const openSite = async (stage: Stage, dataDirectory: string, count: number): Promise<Site> => {
  const endpoint = await launch({ dataDirectory });
  stage.onEnd(endpoint.end);
  const client = await connect(endpoint, "support");
  stage.onEnd(() => void client.end());
  return { count, endpoint, client };
};

/** Latency of a look-up and memory of the server in sites of growing size, each held against the smallest in the same round. */
export const growth: BenchRow = async (stage) => {
  const keys = makeKeys(realKeys);
  // All of them first: filling holds this process for minutes, and a server closes connections that don't answer.
  const made: { readonly count: number; readonly dataDirectory: string }[] = [];
  for (const count of stage.sizes.growth) {
    process.stderr.write(`  a site of ${count.toLocaleString("en-US")} keys …\n`);
    made.push({ count, dataDirectory: await makeSite(stage, keys, count) });
  }
  const sites: Site[] = [];
  for (const { count, dataDirectory } of made) sites.push(await openSite(stage, dataDirectory, count));
  const perRound = Math.max(2, Math.floor(stage.sizes.calls / 10));
  const each = new Map<string, number[]>();
  for (let round = -1; round < stage.sizes.rounds; round += 1) {
    for (const { by, line } of kinds) {
      const times = new Map<number, number[]>(sites.map(({ count }) => [count, []]));
      for (let call = 0; call < perRound; call += 1) {
        const key = keys[(call * 97 + (round + 1) * 31) % keys.length];
        if (key === undefined) continue;
        for (const { count, client } of call % 2 === 0 ? sites : sites.toReversed()) {
          times.get(count)?.push(await lookUp(client, `Get-RecoveryKeys ${line(key)}`, key.recoveryPassword));
        }
      }
      if (round < 0) continue; // code and caches are cold
      for (const [count, of] of times) each.set(`${by} ${count}`, [...(each.get(`${by} ${count}`) ?? []), median(of)]);
    }
  }
  const [smallest, ...larger] = sites;
  const least = smallest?.count ?? 0;
  const words = (count: number): string =>
    `${count.toLocaleString("en-US")} keys, against ${least.toLocaleString("en-US")}`;
  return larger.flatMap(({ count, endpoint }): Outcome[] => [
    ...kinds.map(({ by }): Outcome => ({
      name: `one key by ${by} among ${words(count)}`,
      unit: "ms",
      ours: each.get(`${by} ${count}`) ?? [],
      peer: each.get(`${by} ${least}`) ?? [],
      reach: { atMost: 1.3 },
    })),
    {
      name: `memory of the server after these look-ups, ${words(count)}`,
      unit: "KiB",
      ours: [pssKib(endpoint.pid)],
      peer: [pssKib(smallest?.endpoint.pid ?? 0)],
      reach: { atMost: 1.3 },
    },
  ]);
};
