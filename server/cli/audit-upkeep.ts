import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { rmSync } from "node:fs";
import { findForwarded } from "../audit-forwarding/examine.ts";
import { Checkpointer } from "../audit/checkpointer.ts";
import { segmentMiB } from "../audit/event-log.ts";
import { openRecord } from "../audit/open-record.ts";
import type { PrunePlan } from "../audit/plan-prune.ts";
import { prune, prunedEvents } from "../audit/prune.ts";
import { readThrough } from "../audit/read-through.ts";
import { describeLoss, type RecordLoss } from "../audit/record-loss.ts";
import { rescueSpaceIn } from "../audit/rescue-space.ts";
import { rawPublicKey } from "../audit/signed-note.ts";
import { doInWorker } from "../audit-review/run-in-worker.ts";
import { pathsIn } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import { confirmAccept } from "./confirm-accept.ts";
import type { Io } from "./io.ts";
import { plain } from "./plain.ts";
import { openLocalRecord } from "./local-record.ts";
import { writeNewFile } from "../files/new-file.ts";
import { renameDurably } from "../files/replace-file.ts";
import { decodeSince, momentOf } from "../model/moment.ts";
import { readLogKey } from "../endpoint/private-key.ts";
import { freeBytesIn } from "../endpoint/storage.ts";

/** For the event, a checkpoint, and every hash at worst; each segment that goes gives more back than its hashes take. */
const roomFor = ({ throughSeq, transcripts, segments, before }: PrunePlan): number =>
  1024 * 1024 + throughSeq * 32 + (transcripts.length + segments.length + before.segments.length) * 256;

/** `pep audit prune --before DATE`: takes old lines and transcripts away, on the record, and leaves their hashes. */
export const pruneCommand = async (
  dataDirectory: string,
  before: string | undefined,
  stop: AbortSignal,
  io: Io,
): Promise<number> => {
  const beforeMs = momentOf(decodeSince(before ?? ""), io.now())?.getTime();
  if (beforeMs === undefined || beforeMs > io.now().getTime()) {
    throw new EndpointError(
      "InvalidArgument",
      "Write: pep audit prune --before DATE, a day that is past, as 2026-01-31, or how long ago, as 365d.",
    );
  }
  const paths = pathsIn(dataDirectory);
  const forwarded = findForwarded(paths.syslogCursor, paths.log);
  const task = { kind: "prune-plan", dataDirectory, beforeMs, forwarded } as const;
  const { problems, plan, throughSeqWithoutReceiver } = await doInWorker(task, { signal: stop });
  if (problems.length > 0) {
    throw new EndpointError("InvalidResult", `Nothing was pruned: the record does not hold. Run: pep audit verify`);
  }
  if (throughSeqWithoutReceiver > plan.throughSeq) {
    io.report(
      `events after ${forwarded} stay: the syslog receiver has not confirmed them. If you no longer have a receiver, remove ${paths.syslogCursor}`,
    );
  }
  if (plan.segments.length === 0) {
    io.stdout.write(
      "Nothing to prune. A segment is removed when it is finished, all its events are signed, and all are older than the date. " +
        `It is finished at ${segmentMiB} MiB or after 7 days.\n`,
    );
    return 0;
  }
  if (freeBytesIn(paths.audit) < roomFor(plan) && rescueSpaceIn(paths.audit).giveUp()) {
    io.report("the disk is full: the space kept for rescue is used for this");
  }
  const record = await openLocalRecord(paths, io, stop);
  try {
    // Said again first: the event that says it may be among those that go.
    const siteState = await record.siteState();
    if (siteState !== undefined) await record.append({ type: "site-written", ...siteState });
    // Each is answered once a checkpoint covers it.
    for (const event of prunedEvents(plan, io.localUser, new Date(beforeMs))) await record.append(event);
    await prune(paths.audit, plan, stop);
  } finally {
    await record.close();
  }
  io.stdout.write(
    `Pruned events to ${plan.throughSeq} and ${plan.transcripts.length} transcripts; their hashes stay.\n`,
  );
  return 0;
};

/** What the record misses or has too much. @throws EndpointError when it is worse than that: shorter, or changed */
const findLoss = async (audit: string, key: KeyObject, stop: AbortSignal): Promise<RecordLoss> => {
  const checkpointer = new Checkpointer({ directory: audit, key, giveUpSpace: () => false });
  return (await readThrough(audit, checkpointer, stop)).loss;
};

/** `pep audit accept-loss`: lets the server start again on a record that is not whole, and says so on it. Only while no server runs. */
export const acceptLossCommand = async (
  dataDirectory: string,
  confirmed: boolean,
  stop: AbortSignal,
  io: Io,
): Promise<number> => {
  const { audit, logKey } = pathsIn(dataDirectory);
  const key = readLogKey(logKey);
  const loss = await findLoss(audit, key, stop);
  const what = describeLoss(loss);
  if (what.length === 0) {
    io.stdout.write(
      "Nothing to accept: the record explains every missing part, and nothing is there that it does not name.\n",
    );
    return 0;
  }
  for (const one of what) io.stdout.write(plain(`${one}\n`));
  if (!confirmed) await confirmAccept("this loss", stop, io);
  const record = await openRecord({
    directory: audit,
    key,
    server: io.hostName,
    stop,
    runtime: io,
    acceptLoss: { loss, localUser: io.localUser },
  });
  await record.close();
  io.stdout.write("Accepted, on the record: the server starts again, and pep audit verify goes on naming it.\n");
  return 0;
};

/**
 * `pep audit rotate-key`: a new log key, announced in the log and signed for by the old one. Only while no server runs. The
 * checkpoint under which it happens has both signatures: whichever key a crash leaves in place goes on with the log.
 */
export const rotateKeyCommand = async (dataDirectory: string, stop: AbortSignal, io: Io): Promise<number> => {
  const { audit, logKey } = pathsIn(dataDirectory);
  const old = readLogKey(logKey);
  const next = `${logKey}.next`;
  rmSync(next, { force: true });
  rmSync(`${next}.pub`, { force: true });
  const pair = generateKeyPairSync("ed25519");
  const text = (key: KeyObject): string => rawPublicKey(key).toString("base64");
  const record = await openRecord({
    directory: audit,
    key: old,
    server: io.hostName,
    stop,
    runtime: io,
  });
  try {
    writeNewFile(`${next}.pub`, pair.publicKey.export({ type: "spki", format: "pem" }), 0o644);
    writeNewFile(next, pair.privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
    await record.append({
      type: "log-key-rotated",
      localUser: io.localUser,
      from: text(old),
      to: text(pair.publicKey),
    });
    await record.checkpoint(pair.privateKey);
  } finally {
    await record.close();
  }
  await renameDurably(`${next}.pub`, `${logKey}.pub`);
  await renameDurably(next, logKey);
  io.stdout.write(`The log's key is ${text(pair.publicKey)} from now on. Keep a copy of ${logKey}.pub elsewhere.\n`);
  return 0;
};
