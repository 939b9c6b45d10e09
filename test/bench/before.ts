/**
 * `npm run bench:before -- CHECKOUT`: this build against an earlier one, side by side in one run. CHECKOUT is a folder with
 * another commit of this repository, installed by `npm ci`. Options: `--keys N`, `--rounds N`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { launch, root, run, type Endpoint } from "../harness/endpoint.ts";
import { takeTurns, type Outcome } from "./compare.ts";
import { makeKeys, writeCsv } from "./keys.ts";
import { liftLimits } from "./lift-limits.ts";
import { openSession, timed, untilIdle } from "./programs.ts";
import { tableOf } from "./report.ts";

/** What the walls and the record may cost: the record's own row has the larger share. */
const reach = { atMost: 1.05 };
const prompt = /PS [^\n]*> ?/;

const startSide = async (checkout: string, directory: string, csv: string): Promise<Endpoint> => {
  execFileSync(process.execPath, [join(checkout, "build.ts")], { cwd: checkout, stdio: "inherit" });
  const main = join(checkout, "dist", "server", "main.js");
  for (const args of [
    ["init", "--demo", "--data-dir", directory],
    ["import", "--data-dir", directory, csv],
  ]) {
    const done = await run(process.execPath, [main, ...args]);
    if (done.status !== 0) throw new Error(`${args[0]} of ${checkout}: ${done.stderr}`);
  }
  liftLimits(join(directory, "jea-roles.json"));
  return launch({ dataDirectory: directory, program: join(checkout, "dist", "bin", "pep") });
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keys: { type: "string", default: "20000" }, rounds: { type: "string", default: "40" } },
});
const [checkout] = positionals;
if (checkout === undefined) throw new Error("name the folder of the other checkout");
const rounds = Number(values.rounds);
const directory = mkdtempSync(join(tmpdir(), "pep-before-"));
const keys = makeKeys(Number(values.keys));
const csv = join(directory, "keys.csv");
writeCsv(keys, csv);
const after = await startSide(root, join(directory, "after"), csv);
const before = await startSide(resolve(checkout), join(directory, "before"), csv);

const caller = (endpoint: Endpoint) => {
  const target = endpoint.sshArguments("support", ["-o", "LogLevel=ERROR"]);
  let number = 0;
  return async (): Promise<number> => {
    number = (number + 7919) % keys.length;
    const ran = await timed("ssh", [...target, `Get-RecoveryKeys -RecoveryKeyId ${keys[number]?.keyId}`]);
    if (ran.bytes < 55) throw new Error("an answer without a recovery key");
    return ran.ms;
  };
};
const exporting = (endpoint: Endpoint) => {
  const target = endpoint.sshArguments("exporter", ["-o", "LogLevel=ERROR"]);
  return async (): Promise<number> => {
    const ran = await timed("ssh", [...target, "Get-RecoveryKeys -raw -Format ndjson"]);
    if (ran.lines < keys.length) throw new Error("an export without all keys");
    return ran.ms;
  };
};
const open = (endpoint: Endpoint) => () =>
  openSession(endpoint.sshArguments("support", ["-o", "LogLevel=ERROR"]), prompt);
const prompting = (endpoint: Endpoint) => {
  const one = open(endpoint);
  return async (): Promise<number> => {
    const session = await one();
    await session.close();
    return session.promptMs;
  };
};
const loggingIn = (endpoint: Endpoint) => {
  const one = open(endpoint);
  return async (): Promise<number> => {
    // Either side replaces its spare UI processes two seconds after they were taken, which would slow the other's round.
    await untilIdle(after.pid);
    await untilIdle(before.pid);
    const startedAt = performance.now();
    const sessions = await Promise.all(Array.from({ length: 20 }, one));
    const ms = performance.now() - startedAt;
    await Promise.all(sessions.map((session) => session.close()));
    return ms;
  };
};

const outcomes: Outcome[] = [];
const measure = async (
  name: string,
  times: number,
  of: (endpoint: Endpoint) => () => Promise<number>,
  warm: number,
): Promise<void> => {
  const [ours, peer] = [of(after), of(before)];
  for (let count = 0; count < warm; count += 1) {
    await ours();
    await peer();
  }
  await untilIdle(after.pid);
  await untilIdle(before.pid);
  outcomes.push({ name, unit: "ms", ...(await takeTurns(times, ours, peer)), reach });
};

try {
  await measure("one key by exec, client start to exit", rounds * 2, caller, 100);
  await measure("first prompt", rounds, prompting, 3);
  await measure("20 log-ins at once, until all have prompts", Math.ceil(rounds / 4), loggingIn, 2);
  await measure(`export of ${keys.length.toLocaleString("en-US")} keys`, Math.ceil(rounds / 4), exporting, 1);
} finally {
  await Promise.all([after.end(), before.end()]);
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(`${tableOf(outcomes).replace("peer", "before")}\n`);
