import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { openEventLog } from "../../../server/audit/event-log.ts";
import type { AuditEvent, EventLog } from "../../../server/audit/event.ts";
import { openRecord } from "../../../server/audit/open-record.ts";
import { launch, pep, type Endpoint } from "../../harness/endpoint.ts";
import { percentile, takeTurns, type Outcome } from "../compare.ts";
import { timed } from "../programs.ts";
import type { BenchRow, Stage } from "../stage.ts";
import { startNumberedSite, type StartedSite } from "../../site-database/sql-server/start-site.ts";
import { testRuntime } from "../../harness/runtime.ts";

/**
 * Appends a second when so many writers each wait for one append before the next, against bare writes and fdatasyncs; and the
 * same of the whole record, with the tree over the log and a signed checkpoint after each thousand events.
 */
export const durableAppends: BenchRow = async (stage) => {
  const runtime = testRuntime();
  const log = await openEventLog({ server: "pep-1", directory: join(stage.directory, "appends", "log"), runtime });
  stage.onEnd(() => log.close());
  const record = await openRecord({
    server: "pep-1",
    directory: join(stage.directory, "appends", "audit"),
    key: generateKeyPairSync("ed25519").privateKey,
    runtime,
  });
  stage.onEnd(() => record.close());
  const bare = await open(join(stage.directory, "appends", "bare"), "w");
  stage.onEnd(() => bare.close());
  const event: AuditEvent = {
    type: "disclosure",
    connectionId: "C-1",
    sessionId: "S-1",
    connectedUser: "bench",
    invocationId: "I-1",
    command: "Get-RecoveryKeys",
    how: "exec",
    keys: [{ keyId: "B8D21377-29D9-4BFC-9C31-7A8A12B7CD60", computerName: "PC-0001" }],
  };
  const line = Buffer.from(`${JSON.stringify({ seq: 1, at: new Date().toISOString(), uptimeMs: 1, event })}\n`);
  const outcomes: Outcome[] = [];
  // As many turns of the disk for many writers as for one: twenty of them would be over before the code is compiled.
  const turns = stage.sizes.appends;
  for (const writers of [1, 10, 50]) {
    const waits: number[] = [];
    const rateOf = (target: EventLog) => async (): Promise<number> => {
      const startedAt = performance.now();
      const writer = async (): Promise<void> => {
        for (let count = 0; count < turns; count += 1) {
          const askedAt = performance.now();
          await target.append(event);
          if (target === log) waits.push(performance.now() - askedAt);
        }
      };
      await Promise.all(Array.from({ length: writers }, writer));
      return ((turns * writers) / (performance.now() - startedAt)) * 1000;
    };
    // The bound of group commit: everybody's line in one write and one fdatasync, again and again.
    const group = Buffer.concat(Array.from({ length: writers }, () => line));
    const peer = async (): Promise<number> => {
      const startedAt = performance.now();
      for (let count = 0; count < turns; count += 1) {
        await bare.write(group);
        await bare.datasync();
      }
      return ((turns * writers) / (performance.now() - startedAt)) * 1000;
    };
    const [ofLog, ofRecord] = [rateOf(log), rateOf(record)];
    for (let warming = 0; warming < 2; warming += 1) await ofLog();
    await ofRecord();
    waits.length = 0;
    const words = `${writers} writer${writers === 1 ? "" : "s"}`;
    const unit = "appends/s";
    outcomes.push(
      {
        name: `durable appends, ${words}, against write and fdatasync`,
        unit,
        ...(await takeTurns(stage.sizes.rounds, ofLog, peer)),
        reach: { atLeast: 0.8 },
      },
      { name: `durable appends, ${words}, p99 of one`, unit: "ms", ours: [percentile(waits, 0.99)] },
      {
        name: `durable appends, ${words}, with the tree and its checkpoints`,
        unit,
        ...(await takeTurns(stage.sizes.rounds, ofRecord, peer)),
      },
    );
  }
  return outcomes;
};

/** From the process's start to its `listening` line, a new demo made on the way; and rows imported a second. */
export const startUp: BenchRow = async (stage) => {
  await stage.endpoint();
  const fresh: number[] = [];
  const again: number[] = [];
  const started = async (dataDirectory: string): Promise<number> => {
    const startedAt = performance.now();
    const endpoint = await launch({ dataDirectory });
    const ms = performance.now() - startedAt;
    await endpoint.end();
    return ms;
  };
  for (let round = 0; round < stage.sizes.rounds; round += 1) {
    const dataDirectory = join(stage.directory, `start-${round}`);
    fresh.push(await started(dataDirectory));
    again.push(await started(dataDirectory));
  }
  const rows = stage.keys.length.toLocaleString("en-US");
  return [
    { name: "`pep serve` to listening", unit: "ms", ours: again, reach: { atMost: 500 } },
    { name: "the same on an empty directory, a demo made on the way", unit: "ms", ours: fresh },
    { name: `import of ${rows} rows of CSV`, unit: "rows/s", ours: [stage.importedRowsASecond()] },
  ];
};

const password = "Geheim-17!";

const startOnSqlServer = async (stage: Stage, site: StartedSite): Promise<Endpoint> => {
  const dataDirectory = join(stage.directory, "sql-server");
  const made = await pep(["init", "--demo", "--data-dir", dataDirectory]);
  if (made.status !== 0) throw new Error(made.stderr);
  const authority = join(stage.directory, "authority.pem");
  const passwordFile = join(stage.directory, "password");
  writeFileSync(authority, site.certificates.authority);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  const path = join(dataDirectory, "endpoint.json");
  const siteDatabase = {
    kind: "sqlServer",
    server: "localhost",
    port: site.server.port,
    database: "CM_PEP",
    ca: authority,
    authentication: { type: "default", userName: "pep", password: { file: passwordFile } },
  };
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), siteDatabase }));
  const endpoint = await launch({ dataDirectory });
  stage.onEnd(endpoint.end);
  return endpoint;
};

/** The peer asks what the adapter asked, for everything at once instead of page by page. */
const writeQuestion = (site: StartedSite, rows: number, file: string): void => {
  const request = site.server.requests().find(({ text }) => text.includes("pep:read-keys-by-id"));
  if (request === undefined) throw new Error("the adapter did not ask for keys by id");
  const parameters = request.parameters.map(({ name, type, value }) => ({
    name,
    type,
    value: name === "pageRows" ? rows : value,
  }));
  const { port } = site.server;
  writeFileSync(
    file,
    JSON.stringify({ port, authority: site.certificates.authority, password, text: request.text, parameters }),
  );
};

export const sqlServer: BenchRow = async (stage) => {
  const count = stage.keys.length;
  const site = await startNumberedSite(count);
  stage.onEnd(() => site.dispose());
  const endpoint = await startOnSqlServer(stage, site);
  const rate = (target: readonly string[], command: string) => async (): Promise<number> => {
    const { lines, ms } = await timed("ssh", [...target, command]);
    if (lines !== count) throw new Error(`${command}: ${lines} rows of ${count}`);
    return (lines / ms) * 1000;
  };
  const ours = rate(endpoint.sshArguments("exporter", stage.clientOptions), "Get-RecoveryKeys -raw -Format ndjson");
  await ours();
  writeQuestion(site, count, join((await stage.peer()).directory, "tedious.json"));
  const peer = rate(await stage.theirs(), "tedious");
  const measured = await takeTurns(Math.max(2, Math.ceil(stage.sizes.rounds / 2)), ours, peer);
  const name = `SQL Server path: ${count.toLocaleString("en-US")} rows, against plain tedious`;
  return [{ name, unit: "rows/s", ...measured, reach: { atLeast: 0.8 } }];
};
