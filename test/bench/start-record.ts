/**
 * How long a start reads a long record: node test/bench/start-record.ts [MIB] [ROUNDS] [ROUNDS FROM EVERY LINE]
 * Prints a line of JSON for each way to start, in turns: from every line, and from a summary. 1024 MiB unless told otherwise. Each start has
 * a process of its own, as `pep serve` has, and the newest segment is nearly full, the worst that there is.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { originOf, signCheckpoint } from "../../server/audit/checkpoint.ts";
import { segmentMiB } from "../../server/audit/event-log.ts";
import { makeSummary } from "../../server/audit/make-summary.ts";
import { CompactRange, leafHash } from "../../server/audit/merkle-tree.ts";
import { openRecord, type OpenRecord } from "../../server/audit/open-record.ts";
import { readRecentLog } from "../../server/audit/read-recent-log.ts";
import { encodeSummary, signSummary, summariesIn, writeSummary } from "../../server/audit/summary.ts";
import { sessionEventAt } from "../audit-review/many-events.ts";
import { testRuntime } from "../harness/runtime.ts";

/** Of the process that only starts: where the record is. */
const started = process.argv[2] === "--start" ? process.argv[3] : undefined;
const mebibytes = Number(process.argv[2] ?? 1024);
const rounds = Number(process.argv[3] ?? 3);
const roundsFromEveryLine = Number(process.argv[4] ?? rounds);
const fullBytes = segmentMiB * 1024 * 1024 * 0.97;
/** One session in so many has a transcript. */
const transcriptEach = 100;
const eventsOfSession = 5;

const dataDirectory = started ?? mkdtempSync(join(tmpdir(), "pep-bench-"));
const keyPath = join(dataDirectory, "log-key");
if (started === undefined) {
  const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(keyPath, pem, { mode: 0o600 });
}
const key = createPrivateKey(readFileSync(keyPath));
const audit = join(dataDirectory, "audit");
const log = join(audit, "log");
const now = Date.now();
/** Two segments a day: a busy endpoint. */
const msAnEvent = 150;

interface Made {
  readonly events: number;
  readonly transcripts: number;
}

/** A session's events, with a transcript now and then, which is a file of its own. */
const eventAt = (seq: number, count: () => void): object => {
  const event = sessionEventAt(seq);
  const session = Math.floor((seq - 1) / eventsOfSession);
  const place = (seq - 1) % eventsOfSession;
  if (session % transcriptEach !== 0 || (place !== 0 && place !== eventsOfSession - 1)) return event;
  const name = `S-${session.toString(16).padStart(16, "0")}.cast`;
  if (place === 0) return { ...event, mode: "interactive", transcript: name };
  const text = `{"version":3,"term":{"cols":80,"rows":24}}\n[0.1,"o","${name}"]\n[0.1,"x","0"]\n`;
  writeFileSync(join(audit, "transcripts", name), text);
  count();
  return { ...event, transcriptDigest: createHash("sha256").update(text).digest("hex"), transcriptBytes: text.length };
};

/** Written at once instead of through `append` and its fsyncs. */
const writeRecord = (): Made => {
  for (const folder of ["log", "transcripts"]) mkdirSync(join(audit, folder), { recursive: true });
  const tree = new CompactRange();
  let origin = "";
  let transcripts = 0;
  let seq = 0;
  const begunAt = now - (mebibytes * 1024 * 1024 * msAnEvent) / 240;
  const timeOf = (of: number): Date => new Date(begunAt + of * msAnEvent);
  for (let left = mebibytes * 1024 * 1024; left > 0;) {
    const path = join(log, `${String(seq + 1).padStart(12, "0")}.ndjson`);
    const fd = openSync(path, "w");
    for (let bytes = 0; bytes < fullBytes;) {
      let text = "";
      for (let line = 0; line < 1_000; line += 1) {
        seq += 1;
        const at = timeOf(seq).toISOString();
        const one = JSON.stringify({
          seq,
          at,
          uptimeMs: seq,
          server: "pep-1",
          event: eventAt(seq, () => (transcripts += 1)),
        });
        const leaf = leafHash(Buffer.from(one));
        if (seq === 1) origin = originOf(leaf);
        tree.append(leaf);
        text += `${one}\n`;
      }
      bytes += writeSync(fd, text);
    }
    closeSync(fd);
    utimesSync(path, timeOf(seq), timeOf(seq));
    left -= fullBytes;
  }
  const note = signCheckpoint({ origin, size: seq, root: tree.root() }, [key]);
  for (const name of ["checkpoint", "checkpoint-history"]) writeFileSync(join(audit, name), note);
  return { events: seq, transcripts };
};

const open = (): Promise<OpenRecord> =>
  openRecord({
    directory: audit,
    key,
    runtime: testRuntime(),
    server: "pep-1",
  });

const timed = async <Result>(work: () => Promise<Result>): Promise<{ seconds: number; result: Result }> => {
  const started = performance.now();
  const result = await work();
  return { seconds: Number(((performance.now() - started) / 1000).toFixed(2)), result };
};

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** What `pep serve` does before it takes anybody in. */
const start = async (): Promise<void> => {
  const before = processorSeconds();
  const { seconds, result } = await timed(async () => {
    const record = await open();
    readRecentLog(log, new Date(), record.recentBefore);
    return record;
  });
  const used = Number((processorSeconds() - before).toFixed(2));
  await result.close();
  const way = result.recentBefore === undefined ? "from every line" : "from a summary";
  console.log(JSON.stringify({ start: way, seconds, processorSeconds: used }));
};

const startAnew = (): void => {
  execFileSync(process.execPath, [import.meta.filename, "--start", dataDirectory], { stdio: "inherit" });
};

/** As the running server does it, but not behind everybody else: on a machine with other work that takes hours. */
const summarize = async (): Promise<void> => {
  const record = await open();
  const made = makeSummary(audit, createPublicKey(key), new Date());
  if (made === undefined) throw new Error("nothing to summarize");
  const { text, digest } = encodeSummary(made);
  await writeSummary(audit, made.through, `${signSummary(digest, key)}\n${text}`);
  await record.append({ type: "log-summarized", through: made.through, digest });
  await record.close();
};

const compare = async (): Promise<void> => {
  console.log(JSON.stringify({ mebibytes, ...writeRecord() }));
  console.log(JSON.stringify({ made: "summary, from every line", seconds: (await timed(summarize)).seconds }));
  const [summaries, aside] = [summariesIn(audit), join(audit, "aside")];
  for (let round = 0; round < rounds; round += 1) {
    if (round < roundsFromEveryLine) {
      renameSync(summaries, aside);
      startAnew();
      renameSync(aside, summaries);
    }
    startAnew();
  }
};

if (started === undefined) {
  try {
    await compare();
  } finally {
    if (process.env["PEP_BENCH_KEEP"] === undefined) rmSync(dataDirectory, { recursive: true, force: true });
  }
} else await start();
