import {
  isForPeople,
  type CommandContext,
  type Row,
  type RowsResult,
  type SecretFile,
} from "../command/define-command.ts";
import type { VisibleCommands } from "../authorization/contract.ts";
import type { ElevationGate } from "../authorization/elevation-gate.ts";
import type { EventLog, Origin } from "../audit/event.ts";
import type { Party } from "../identity/party.ts";
import type { OnRecord } from "../audit/on-record.ts";
import { given } from "../command/given.ts";
import { EndpointError, stopped } from "../errors.ts";
import { withoutPrivateUse } from "../model/harmless-text.ts";
import { Secret } from "../secret.ts";
import type { Admitted } from "./admit.ts";
import type { Answer, Delivery, KeyOffer, OfferedRow, SentCollection } from "./delivery.ts";
import { disclose, discloseFile, type Disclosure } from "./disclose.ts";
import type { DisclosureCounts } from "./disclosure-counts.ts";
import { asTheyCome, inBatchesOf, limitRows, rowLimitOf, tooManyRows, withinReach } from "./limit-rows.ts";
import type { RowLimit, Surplus } from "./limit-rows.ts";
import type { ClosedPorts } from "./open-ports.ts";
import { closeComputersWith, searchWith } from "./search.ts";
import type { SearchCounts } from "./search-counts.ts";
import { watchTranscript } from "./watch-transcript.ts";

export interface RunDependencies {
  readonly log: EventLog;
  readonly ports: ClosedPorts;
  readonly visibleCommands: () => VisibleCommands;
  readonly elevation: Pick<ElevationGate, "portFor">;
  /** Of all sessions: what each user was shown lately. */
  readonly disclosures: DisclosureCounts;
  /** And how often each searched. */
  readonly searches: SearchCounts;
  readonly connectedUser: string;
  /** Whom limits count for. */
  readonly party: Party;
  readonly origin: Origin;
}

/** One invocation whose start is on the record. */
export interface Started {
  readonly admitted: Admitted;
  readonly opening: OnRecord<"command-started">;
  readonly invocationId: string;
  readonly delivery: Delivery;
  readonly signal: AbortSignal;
  /** What was shown so far: it is wanted when the command ends badly too. */
  readonly progress: { rowCount: number };
}

interface Ran {
  readonly exitStatus: number;
  readonly sentBytes?: number;
  readonly sentDigest?: string;
  /** Every key of the site was sent. */
  readonly collected?: SentCollection;
}

const contextOf = (dependencies: RunDependencies, started: Started): CommandContext => {
  const { ports, elevation, visibleCommands, connectedUser, origin } = dependencies;
  const { admitted, opening, delivery, signal } = started;
  const { search, roleCapability } = admitted.bound;
  const searching = search && { ...dependencies, started, rule: { ...search, roleCapability } };
  return {
    ...ports.forCommand(opening, {
      keyBounds: admitted.bound.keyBounds?.allows,
      reviewer: { ...origin, connectedUser },
      signal,
    }),
    connectedUser,
    get visibleCommands() {
      return visibleCommands().descriptions;
    },
    interactive: delivery.how !== "exec",
    askPassword: (prompt, purpose) => delivery.askPassword(prompt, purpose),
    confirm: (question) => delivery.confirm(question),
    search: searching && searchWith(searching),
    closeComputers: searching && closeComputersWith(searching),
    elevation: elevation.portFor(signal),
    tell: (text) => delivery.tell(text),
  };
};

const disclosureOf = (
  { log, origin, disclosures, party }: RunDependencies,
  { admitted, invocationId, delivery }: Started,
  mark: RowsResult["mark"],
): Disclosure => ({
  log,
  origin,
  party,
  invocationId,
  command: admitted.bound.command.name,
  reason: admitted.bound.command.reason,
  delivery,
  mark,
  count: (keyIds) => {
    const { disclosuresPerHour: most, roleCapability } = admitted.grantedNow();
    return disclosures.reserve(party, keyIds, most === undefined ? undefined : { most, roleCapability });
  },
});

/** Rows as they are disclosed: a batch is on the record before it is yielded. */
const disclosedRows = (dependencies: RunDependencies, started: Started, shaped: RowsResult): Answer => {
  const { admitted, delivery, signal, progress } = started;
  const disclosure = disclosureOf(dependencies, started, shaped.mark);
  const cut =
    shaped.live === true
      ? asTheyCome(shaped.batches)
      : inBatchesOf(shaped.batches, delivery.batchRows, delivery.how !== "exec");
  let more = true;
  return {
    kind: "rows",
    columns: shaped.columns,
    format: shaped.format,
    hasMore: () => more,
    batches: (async function* disclosed() {
      for await (const batch of cut) {
        signal.throwIfAborted();
        admitted.grantedNow();
        const rows = await disclose(batch.rows, disclosure);
        more = batch.more;
        progress.rowCount += rows.length;
        yield rows;
      }
    })(),
  };
};

const holdsKeys = ({ columns }: RowsResult): boolean => columns.some(({ secret }) => secret === true);

/** Held in memory, and looked through by a person. */
const mostOffered = 2_000;

/** A person who did not say how rows are written is offered keys to choose from. */
const isOffered = ({ columns, format, secretsAre }: RowsResult, { choose }: Delivery): boolean =>
  choose !== undefined &&
  format === undefined &&
  secretsAre === undefined &&
  columns.filter(({ secret }) => secret === true).length === 1;

/** Keys to choose from: each is on the record, and counted, before it is opened. */
const offerOf = async (dependencies: RunDependencies, started: Started, shaped: RowsResult): Promise<KeyOffer> => {
  const { admitted, delivery, signal, progress } = started;
  const { maxRows } = admitted.bound;
  const keyAt = shaped.columns.findIndex(({ secret }) => secret === true);
  // What is shown on the server's own card needs no glyph: no UI process paints it.
  const disclosure = disclosureOf(
    dependencies,
    { ...started, delivery: { ...delivery, reveal: (text) => text } },
    shaped.mark,
  );
  const open = async (row: Row): Promise<string> => {
    signal.throwIfAborted();
    if (maxRows !== undefined && progress.rowCount >= maxRows)
      throw tooManyRows({ rows: maxRows, because: "role", of: "keys" });
    const [cells = []] = await disclose([row], disclosure);
    progress.rowCount += 1;
    return String(cells[keyAt]);
  };
  const rows: OfferedRow[] = [];
  for await (const batch of shaped.batches) {
    for (const row of batch) {
      const key = row[keyAt];
      if (!(key instanceof Secret) || key.label === undefined) throw new Error("a key without a label");
      const { keyId, computerName } = key.label;
      const cells = row.flatMap((cell) =>
        cell instanceof Secret ? [] : [typeof cell === "string" ? withoutPrivateUse(cell) : cell],
      );
      rows.push({ keyId, computerName, cells, open: () => open(row) });
    }
    if (rows.length > mostOffered)
      throw new EndpointError(
        "LimitsExceeded",
        `More than ${mostOffered} keys are no list to choose from. Ask for fewer, or run the command without a terminal.`,
      );
  }
  return { columns: shaped.columns.filter((_, index) => index !== keyAt), rows };
};

/** Shapes the rows, and holds the limits against what is left: keys against one, rows without keys against the other. */
const shapeWithinLimits = async (
  result: RowsResult,
  { bound, approved }: Admitted,
  delivery: Delivery,
): Promise<RowsResult> => {
  const { maxRows, maxListed, requireOneOf } = bound;
  // Then rows may be shaped before they are counted, and their number told; else a pipe would page through everything there is.
  const namesWhatItWants = requireOneOf !== undefined;
  const secretColumns = result.columns.flatMap(({ name, secret }) => (secret === true ? [name] : []));
  const surplus: Surplus = { narrowing: result.narrowing, listed: maxListed, secretColumns };
  const reach = Math.max(maxRows ?? Infinity, maxListed ?? 0);
  const hidden: RowLimit = { rows: reach, because: "role", of: holdsKeys(result) ? "keys" : "rows" };
  const reachable: RowsResult =
    namesWhatItWants || reach === Infinity
      ? result
      : {
          ...result,
          countIsHidden: true,
          batches: withinReach(result.batches, reach, () => tooManyRows(hidden, surplus)),
        };
  const shaped = bound.shaping.reduce((rows, shaping) => shaping.apply(rows), reachable);
  // Of keys that are offered none is shown yet: each that is chosen counts then.
  const of = holdsKeys(shaped) && !isOffered(shaped, delivery) ? "keys" : "rows";
  const limit = rowLimitOf(of, of === "keys" ? maxRows : maxListed, approved?.ceiling);
  if (limit === undefined) return shaped;
  const tooMany = (count?: number): EndpointError =>
    tooManyRows(limit, { ...surplus, count: namesWhatItWants ? count : undefined });
  // Asked before the first row is pulled, so that a refusal decrypts nothing.
  const count = await shaped.count?.();
  if (count !== undefined && count > limit.rows) throw tooMany(count);
  return { ...shaped, batches: limitRows(shaped.batches, limit, tooMany, shaped.live) };
};

const noneOf = (result: RowsResult): RowsResult => ({
  ...result,
  batches: (async function* none() {})(),
});

const showRows = async (dependencies: RunDependencies, started: Started, result: RowsResult): Promise<Ran> => {
  const { bound } = started.admitted;
  const { delivery } = started;
  const shaped = await shapeWithinLimits(result, started.admitted, delivery);
  if (delivery.choose !== undefined && isOffered(shaped, delivery)) {
    const offer = await offerOf(dependencies, started, shaped);
    if (offer.rows.length === 0) await delivery.show(disclosedRows(dependencies, started, noneOf(shaped)));
    else await delivery.choose(offer);
    return { exitStatus: shaped.exitStatus ?? 0 };
  }
  if (delivery.how !== "exec" && holdsKeys(shaped) && shaped.count !== undefined) {
    if (!(await delivery.confirmBulk(await shaped.count(), shaped.secretsAre ?? "recovery keys")))
      throw new EndpointError("OperationStopped", "Nothing was shown.");
  }
  // Not what somebody reads on a screen: it is gone with the screen. Nor what was left out behind a pipe, whatever it was.
  const collects = delivery.how === "exec" && bound.shaping.length === 0 ? result.collects : undefined;
  const sent = await delivery.show(disclosedRows(dependencies, started, shaped));
  if (result.summary !== undefined && isForPeople(result.format) && bound.shaping.length === 0)
    await delivery.tell(result.summary());
  const { rowCount: keys } = started.progress;
  const collected = collects && { ...collects, keys, invocationId: started.invocationId };
  return { exitStatus: shaped.exitStatus ?? 0, ...sent, ...given({ collected }) };
};

/** A secret file as bytes. Disclosed when the first is pulled: a delivery that takes no file pulls none. */
async function* disclosedFile(
  dependencies: RunDependencies,
  started: Started,
  file: SecretFile,
): AsyncGenerator<Uint8Array> {
  const { admitted, signal, progress } = started;
  signal.throwIfAborted();
  const limit = rowLimitOf("keys", admitted.bound.maxRows, admitted.approved?.ceiling);
  if (limit !== undefined && limit.rows < 1) throw tooManyRows(limit);
  const base64 = await discloseFile(file, disclosureOf(dependencies, started, undefined));
  progress.rowCount = 1;
  yield file.inBase64 ? Buffer.from(`${base64}\n`) : Buffer.from(base64, "base64");
}

/** Runs a command whose start is on the record, and shows its answer. */
export const runCommand = async (dependencies: RunDependencies, started: Started): Promise<Ran> => {
  const { log, origin, connectedUser } = dependencies;
  const { admitted, delivery, signal } = started;
  // Stopped while its start was recorded: a command hears of an abort, not that there was one.
  if (signal.aborted) throw stopped();
  const result = await admitted.bound.command.run(contextOf(dependencies, started));
  switch (result.kind) {
    case "rows":
      return showRows(dependencies, started, result);
    case "transcript":
      return { exitStatus: 0, ...(await watchTranscript(result, log, { ...origin, connectedUser }, delivery)) };
    case "text":
      return { exitStatus: result.exitStatus ?? 0, ...(await delivery.show(result)) };
    case "secret-file":
      return {
        exitStatus: 0,
        ...(await delivery.show({ kind: "bytes", chunks: disclosedFile(dependencies, started, result) })),
      };
    case "bytes":
    case "session":
      return { exitStatus: 0, ...(await delivery.show(result)) };
  }
};
