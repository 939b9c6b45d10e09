import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { textOf, type ReadLine } from "../audit-review/decode-line.ts";
import { verifyReceipt } from "../audit-review/receipts.ts";
import type { GivenTrust } from "../audit-review/review-task.ts";
import { doInWorker, runInWorker } from "../audit-review/run-in-worker.ts";
import type { ReviewedSession, SessionQuery } from "../command/review-port.ts";
import type { AuditEvent } from "../audit/event.ts";
import { pathsIn } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { exportReport } from "./audit-report.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";
import { writeNewFile } from "../files/new-file.ts";
import { decodeSince, momentForm, momentOf } from "../model/moment.ts";
import { plain } from "./plain.ts";
import type { AuditOption } from "./subcommands.ts";
import { plural } from "../model/plural.ts";

/** What was written after `pep audit VERB`, checked by name only. */
export interface AuditOptions {
  readonly dataDirectory: string;
  readonly arguments: readonly string[];
  readonly values: Readonly<Partial<Record<AuditOption, string>>>;
  readonly v2: boolean;
  readonly stop: AbortSignal;
}

type Review = Extract<AuditEvent, { type: "review" }>;

const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new EndpointError("ObjectNotFound", `${path} can't be read.`, { cause: error });
  }
};

const readPublicKey = (path: string): KeyObject => {
  const pem = readText(path);
  if (!pem.includes("BEGIN PUBLIC KEY")) {
    throw new EndpointError("InvalidArgument", `${path} is not a public key in PEM, as log-key.pub is.`);
  }
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== "ed25519") throw new EndpointError("InvalidArgument", `${path} is not Ed25519.`);
  return key;
};

const timeOf = (text: string, option: string, now: Date): Date => {
  const time = momentOf(decodeSince(text), now);
  if (time === undefined) throw new EndpointError("InvalidArgument", `${option} must be ${momentForm}.`);
  return time;
};

/**
 * Puts a review on the record. A copy of a data directory, without its private log key, is read as it is: what is done with a
 * copy can't be known here.
 */
const recordReview = async (
  options: AuditOptions,
  io: Io,
  review: Omit<Review, "type" | "localUser">,
): Promise<void> => {
  const paths = pathsIn(options.dataDirectory);
  if (!existsSync(paths.logKey)) return;
  const record = await openLocalRecord(paths, io, options.stop);
  try {
    await record.append({ type: "review", localUser: io.localUser, ...review });
  } finally {
    await record.close();
  }
};

const pemOf = (key: KeyObject): string => key.export({ type: "spki", format: "pem" });

/** What the one who asks kept elsewhere. */
const trustedOf = ({ values }: AuditOptions): GivenTrust => ({
  publicKey: values["public-key"] === undefined ? undefined : pemOf(readPublicKey(values["public-key"])),
  sinceCheckpoint: values["since-checkpoint"] === undefined ? undefined : readText(values["since-checkpoint"]),
});

const verify = async (options: AuditOptions, io: Io): Promise<number> => {
  const { dataDirectory, values, stop } = options;
  const trusted = trustedOf(options);
  if (values.receipt !== undefined) {
    const key = readPublicKey(values["public-key"] ?? join(dataDirectory, "log-key.pub"));
    try {
      const { at, event, seq, checkpointSize } = verifyReceipt(readText(values.receipt), key);
      io.stdout.write(`${plain(JSON.stringify({ seq, at, ...event }, null, 2))}\n`);
      io.stdout.write(`This is event ${seq} of the ${checkpointSize} that the log's key signed.\n`);
      return 0;
    } catch (error) {
      if (error instanceof EndpointError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      io.stdout.write(`This receipt proves nothing: ${why}.\n`);
      return 1;
    }
  }
  const task = { kind: "verify", dataDirectory, ...trusted } as const;
  const { problems, notices, claims, events } = await doInWorker(task, { signal: stop });
  for (const problem of problems) io.stdout.write(plain(`PROBLEM  ${problem}\n`));
  for (const notice of notices) io.stdout.write(plain(`note     ${notice}\n`));
  io.stdout.write(`${events} events, ${plural(problems.length, "problem")}.\n`);
  for (const claim of claims) io.stdout.write(`${claim}\n`);
  return problems.length === 0 ? 0 : 1;
};

const queryOf = ({ values }: AuditOptions, now: Date): SessionQuery => ({
  ...(values.user === undefined ? {} : { user: values.user }),
  ...(values.since === undefined ? {} : { since: timeOf(values.since, "--since", now) }),
  ...(values.until === undefined ? {} : { until: timeOf(values.until, "--until", now) }),
  ...(values.command === undefined ? {} : { command: values.command }),
  ...(values["key-id"] === undefined ? {} : { keyId: values["key-id"] }),
  ...(values.computer === undefined ? {} : { computerName: values.computer }),
});

const list = async (options: AuditOptions, io: Io): Promise<number> => {
  const query = queryOf(options, io.now());
  await recordReview(options, io, { action: "list" });
  const { dataDirectory, stop } = options;
  const sessions: ReviewedSession[] = [];
  for await (const batch of runInWorker({ kind: "sessions", dataDirectory, query }, { signal: stop })) {
    for (const session of batch) sessions.push(session);
  }
  sessions.sort((one, other) => one.place - other.place);
  const rows = sessions.map((session) => [
    session.sessionId,
    session.startedAt,
    session.connectedUser,
    session.clientAddress,
    session.mode,
    session.endedAt === undefined ? "no end" : String(session.exitStatus ?? ""),
    `${session.commands} run, ${session.refusals} refused, ${plural(session.keys, "key")}`,
    session.reason,
  ]);
  const table = [["SESSION", "STARTED", "USER", "FROM", "MODE", "EXIT", "COMMANDS", "END"], ...rows].map((row) =>
    row.map(plain),
  );
  const widths = (table[0] ?? []).map((_, column) =>
    // A fold: a record of years has more sessions than a call can have arguments.
    table.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  for (const row of table) {
    io.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd()}\n`,
    );
  }
  return 0;
};

/** The session that an argument names. @throws EndpointError ObjectNotFound */
const findSession = async (
  { dataDirectory, arguments: [sessionId, ...more], stop }: AuditOptions,
  verb: string,
): Promise<readonly ReadLine[]> => {
  if (sessionId === undefined || more.length > 0) {
    throw new EndpointError("InvalidArgument", `Write: pep audit ${verb} SESSION, as pep audit list shows them.`);
  }
  const events = await doInWorker({ kind: "events", dataDirectory, sessionId }, { signal: stop });
  if (events.length === 0) throw new EndpointError("ObjectNotFound", `There is no session ${plain(sessionId)}.`);
  return events;
};

const show = async (options: AuditOptions, io: Io): Promise<number> => {
  const events = await findSession(options, "show");
  await recordReview(options, io, { action: "show", sessionId: options.arguments[0] ?? "" });
  for (const line of events) io.stdout.write(`${plain(JSON.stringify(line))}\n`);
  return 0;
};

const play = async (options: AuditOptions, io: Io): Promise<number> => {
  const { dataDirectory, v2, stop } = options;
  const started = (await findSession(options, "play")).find(({ event }) => event.type === "session-started");
  const fileName = started === undefined ? "" : basename(textOf(started.event, "transcript"));
  if (fileName === "" || !existsSync(join(pathsIn(dataDirectory).transcripts, fileName))) {
    throw new EndpointError("ObjectNotFound", "This session has no transcript; pep audit show has its events.");
  }
  await recordReview(options, io, { action: "play", sessionId: options.arguments[0] ?? "" });
  const task = { kind: "cast", dataDirectory, fileName, v2 } as const;
  for await (const piece of runInWorker(task, { signal: stop })) io.stdout.write(piece);
  return 0;
};

const exportReceipts = async (options: AuditOptions, io: Io): Promise<number> => {
  const { dataDirectory, values, stop } = options;
  const folder = values.receipts;
  if (folder === undefined) {
    throw new EndpointError("InvalidArgument", "Write: pep audit export --receipts DIR, or --html DIR.");
  }
  const query = queryOf(options, io.now());
  await recordReview(options, io, { action: "export" });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let made = 0;
  try {
    for await (const receipt of runInWorker({ kind: "receipts", dataDirectory, query }, { signal: stop })) {
      if (!writeNewFile(join(folder, receipt.name), receipt.text, 0o600)) {
        throw new EndpointError("ResourceExists", `${join(folder, receipt.name)} is there already.`);
      }
      made += 1;
    }
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new EndpointError("InvalidResult", `No receipts: ${why}.`, { cause: error });
  }
  io.stdout.write(
    `${made} receipts in ${folder}. Each proves one disclosure, with log-key.pub alone: pep audit verify --receipt FILE --public-key log-key.pub\n`,
  );
  return 0;
};

const exportHtml = (folder: string, options: AuditOptions, io: Io): Promise<number> => {
  const { dataDirectory, values, stop } = options;
  if (values.receipts !== undefined) {
    throw new EndpointError("InvalidArgument", "Write either --receipts DIR or --html DIR.");
  }
  const asked = (["user", "since", "until", "command", "key-id", "computer"] as const).flatMap((option) =>
    values[option] === undefined ? [] : [`${option} ${values[option]}`],
  );
  const query = queryOf(options, io.now());
  return exportReport({ dataDirectory, folder, query, only: asked.join(", "), ...trustedOf(options), stop }, io, () =>
    recordReview(options, io, { action: "export" }),
  );
};

/** `pep audit VERB`, but for those that change the record (audit-upkeep.ts). */
export const auditCommand = async (verb: string, options: AuditOptions, io: Io): Promise<number> => {
  if (!existsSync(pathsIn(options.dataDirectory).log) && options.values.receipt === undefined) {
    throw new EndpointError("ObjectNotFound", `${options.dataDirectory} is no data directory: it has no audit/log.`);
  }
  if (!["show", "play"].includes(verb) && options.arguments.length > 0) {
    throw new EndpointError("InvalidArgument", `pep audit ${verb} takes options only.`);
  }
  switch (verb) {
    case "verify":
      return verify(options, io);
    case "list":
      return list(options, io);
    case "show":
      return show(options, io);
    case "play":
      return play(options, io);
    case "export":
      return options.values.html === undefined
        ? exportReceipts(options, io)
        : exportHtml(options.values.html, options, io);
    default:
      throw new EndpointError(
        "InvalidArgument",
        "Write: pep audit verify, list, show, play, export, prune, rotate-key or accept-loss.",
      );
  }
};
