/**
 * `npm run bench`: the endpoint side by side with what people would use instead. See README.md of this folder.
 * Options: `--rows one-key,bulk` some rows only, `--large` a million keys, `--keys N`, `--rounds N`, `--tiny` as small as makes
 * sense, of what is built. Only a run of all rows that is not tiny writes RESULTS.md.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launch, pep, root, type Endpoint } from "../harness/endpoint.ts";
import type { Outcome } from "./compare.ts";
import { makeKeys, writeCsv, writePeerFiles } from "./keys.ts";
import { missingForPeer, startPeer, type Peer } from "./peer.ts";
import { resultsText, tableOf } from "./report.ts";
import { bulk, rawChannel } from "./rows/bulk.ts";
import { clientAlone, controlMaster, manyCalls, oneKey } from "./rows/calls.ts";
import { durableAppends, sqlServer, startUp } from "./rows/server.ts";
import { keystrokeEcho } from "./rows/echo.ts";
import { liftBudgets, liftLimits } from "./lift-limits.ts";
import { fiftySessions } from "./rows/fifty-sessions.ts";
import { growth } from "./rows/growth.ts";
import { firstPrompt, logIns, memory } from "./rows/sessions.ts";
import { timing } from "./rows/timing.ts";
import type { BenchRow, Sizes, Stage } from "./stage.ts";

const rows: Readonly<Record<string, BenchRow>> = {
  "one-key": oneKey,
  client: clientAlone,
  calls: manyCalls,
  "control-master": controlMaster,
  "first-prompt": firstPrompt,
  "log-ins": logIns,
  echo: keystrokeEcho,
  bulk,
  raw: rawChannel,
  memory,
  "sql-server": sqlServer,
  appends: durableAppends,
  "fifty-sessions": fiftySessions,
  growth,
  start: startUp,
  timing,
};

const ordinary: Sizes = {
  rounds: 5,
  calls: 200,
  parallel: 20,
  keys: 100_000,
  rawBytes: 128 * 2 ** 20,
  sessions: 20,
  appends: 200,
  growth: [1_000, 100_000],
};
const tiny: Sizes = {
  rounds: 2,
  calls: 4,
  parallel: 2,
  keys: 600,
  rawBytes: 2 ** 20,
  sessions: 2,
  appends: 4,
  growth: [1_000, 2_000],
};

/** Both sides get the same: what our server has no answer to (sntrup761) would otherwise slow the peer's log-ins only. */
const clientOptions = [
  "HostKeyAlgorithms=ssh-ed25519",
  "KexAlgorithms=curve25519-sha256",
  "Ciphers=aes256-gcm@openssh.com",
  "LogLevel=ERROR",
].flatMap((option) => ["-o", option]);

/** Runs `make` when it is asked for the first time. */
const onceAsked = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};

const createStage = (sizes: Sizes): { readonly stage: Stage; readonly end: () => Promise<void> } => {
  const directory = mkdtempSync(join(tmpdir(), "pep-bench-"));
  const closers: (() => Promise<void> | void)[] = [];
  const onEnd = (close: () => Promise<void> | void): void => void closers.unshift(close);
  const keys = makeKeys(sizes.keys);
  const dataDirectory = join(directory, "pep");
  let importedRowsASecond = Number.NaN;
  const endpoint = onceAsked(async (): Promise<Endpoint> => {
    await pep(["init", "--demo", "--data-dir", dataDirectory]);
    liftLimits(join(dataDirectory, "jea-roles.json"));
    liftBudgets(join(dataDirectory, "endpoint.json"));
    const csv = join(directory, "keys.csv");
    writeCsv(keys, csv);
    const startedAt = performance.now();
    const imported = await pep(["import", "--data-dir", dataDirectory, csv]);
    if (imported.status !== 0) throw new Error(imported.stderr);
    importedRowsASecond = (keys.length / (performance.now() - startedAt)) * 1000;
    const started = await launch({ dataDirectory });
    onEnd(started.end);
    return started;
  });
  const clientKey = join(dataDirectory, "demo", "keys", "support");
  const peer = onceAsked(async (): Promise<Peer> => {
    await endpoint(); // whose demo has the client's key
    const started = await startPeer(directory, `${clientKey}.pub`, onEnd);
    writePeerFiles(keys, started.directory);
    return started;
  });
  const stage: Stage = {
    sizes,
    directory,
    keys,
    endpoint,
    peer,
    clientOptions,
    importedRowsASecond: () => importedRowsASecond,
    ours: async (user, options = []) => (await endpoint()).sshArguments(user, [...options, ...clientOptions]),
    theirs: async (options = []) => {
      const { port, user, directory: home } = await peer();
      const known = [
        "-o",
        `UserKnownHostsFile=${join(home, "known_hosts")}`,
        "-o",
        "IdentitiesOnly=yes",
        "-i",
        clientKey,
      ];
      return ["-F", "none", ...options, ...clientOptions, ...known, "-p", String(port), `${user}@127.0.0.1`];
    },
    onEnd,
  };
  const end = async (): Promise<void> => {
    for (const close of closers) await close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { stage, end };
};

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: Object.keys(rows).join(",") },
    keys: { type: "string" },
    rounds: { type: "string" },
    large: { type: "boolean", default: false },
    tiny: { type: "boolean", default: false },
  },
});
const chosen = values.rows.split(",").map((name) => {
  const row = rows[name];
  if (row === undefined) throw new Error(`no row is called ${name}; there are ${Object.keys(rows).join(", ")}`);
  return { name, row };
});
const missing = missingForPeer();
if (missing.length > 0) throw new Error(`the comparison needs ${missing.join(", ")}`);

// The test of the smallest run has built it.
if (!values.tiny) execFileSync(process.execPath, [join(root, "build.ts")], { cwd: root, stdio: "inherit" });
const sizes = values.tiny
  ? tiny
  : {
      ...ordinary,
      ...(values.large ? { keys: 1_000_000, growth: [1_000, 10_000, 100_000, 1_000_000, 10_000_000] } : {}),
    };
const { stage, end } = createStage({
  ...sizes,
  ...(values.keys === undefined ? {} : { keys: Number(values.keys) }),
  ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }),
});
const outcomes: Outcome[] = [];
const keep = !values.tiny && values.rows === Object.keys(rows).join(",");
const results = join(root, "test", "bench", "RESULTS.md");
/** What was measured on its own stands below. */
const [, ...sections] = readFileSync(results, "utf8").split("\n## ");
const otherRuns = sections.map((section) => `\n## ${section}`).join("");
try {
  for (const { name, row } of chosen) {
    process.stderr.write(`${name} …\n`);
    outcomes.push(...(await row(stage)));
    // After each row: a run takes minutes, and what it has measured is worth keeping when it is stopped.
    if (keep) writeFileSync(results, resultsText(outcomes, new Date(), stage.sizes) + otherRuns);
  }
} finally {
  await end();
}
process.stdout.write(`${tableOf(outcomes)}\n`);
