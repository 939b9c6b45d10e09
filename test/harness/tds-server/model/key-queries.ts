import { setImmediate as nextTurn } from "node:timers/promises";
import type { Respond } from "../respond.ts";
import type { TdsRequest } from "../rpc.ts";
import type { Column } from "../tokens.ts";
import type { SqlValue } from "../types.ts";
import { denied, SqlError } from "./sql-error.ts";
import { decrypted, isReadOnly, readableKey } from "./state.ts";
import type { SiteState } from "./state.ts";
import { storedTime, styled126 } from "./tables.ts";
import type { ModelKey } from "./tables.ts";

/* The statements about keys, answered from the tables by their typed parameters. */

type Parameters = (name: string) => SqlValue;

const parametersOf =
  (request: TdsRequest): Parameters =>
  (name) => {
    const found = request.parameters.find((parameter) => parameter.name === name);
    if (found === undefined) throw new SqlError(137, `Must declare the scalar variable "@${name}".`, 15);
    return found.value;
  };

const textOf = (value: SqlValue): string | undefined => (typeof value === "string" ? value : undefined);

/** As the site's collation compares: without case, without trailing blanks. */
const fold = (name: string): string => name.normalize("NFC").toUpperCase().trimEnd();

/** LIKE: `%`, `_` and `[…]`, without case; what stands behind a backslash for itself, where the statement says ESCAPE. */
const likePattern = (pattern: string, escapes = false): RegExp =>
  new RegExp(
    `^${pattern.replace(/\\[^]|\[[^\]]*\]|[^]/g, (part) => {
      if (escapes && part.startsWith("\\") && part.length > 1) return RegExp.escape(part.slice(1));
      if (part === "%") return "[^]*";
      if (part === "_") return "[^]";
      return part.length > 1 ? part.replaceAll("\\", "\\\\") : part.replace(/[.*+?^${}()|[\]\\]/, String.raw`\$&`);
    })}$`,
    "i",
  );

interface JoinedRow {
  readonly key: ModelKey;
  readonly computerName: string;
}

/** The WHERE clause, as a test of one key, and the join to machines. */
const filterFor = (state: SiteState, parameters: Parameters): ((key: ModelKey) => readonly JoinedRow[]) => {
  const { tables, shape } = state;
  const computerName = textOf(parameters("computerName"));
  const pattern = textOf(parameters("passwordId"));
  const since = textOf(parameters("since"));
  const volumeTypeIds = textOf(parameters("volumeTypeIds"));
  const latest = parameters("latest") === true;
  const like = pattern === undefined ? undefined : likePattern(pattern);
  const from = since === undefined ? undefined : storedTime(since, shape.timeType);
  const wanted = computerName === undefined ? undefined : fold(computerName);
  return (key) => {
    if (like !== undefined && !like.test(key.keyId)) return [];
    if (from !== undefined && key.lastUpdateTime < from) return [];
    const typeId = tables.volume(key.volumeId)?.typeId ?? "none";
    if (volumeTypeIds !== undefined && !volumeTypeIds.includes(`,${typeId},`)) return [];
    if (latest && !tables.isNewest(key)) return [];
    return tables
      .computersOf(key.volumeId)
      .filter((name) => wanted === undefined || fold(name) === wanted)
      .map((name) => ({ key, computerName: name }));
  };
};

const keysInTurn = 1000;

/** Keys from an index on, some at a time; lets others run in between, so that a cancel is heard. */
async function* walk(
  state: SiteState,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly ModelKey[], void, void> {
  const { tables } = state;
  for (let first = from; first < tables.keyCount && !signal.aborted; first += keysInTurn) {
    const count = Math.min(keysInTurn, tables.keyCount - first);
    yield Array.from({ length: count }, (_, i) => tables.keyAt(first + i));
    await nextTurn();
  }
}

const pageColumns: readonly Column[] = [
  { name: "RecoveryKeyId", type: "nvarchar(64)" },
  { name: "ComputerName", type: "nvarchar(63)" },
  { name: "VolumeId", type: "nvarchar(64)" },
  { name: "VolumeTypeId", type: "int" },
  { name: "LastUpdateTime", type: "nvarchar(33)" },
  { name: "Disclosed", type: "bit" },
  { name: "Replaced", type: "bit" },
  { name: "RecoveryKey", type: "nvarchar(4000)" },
];

const pageRow = (state: SiteState, { key, computerName }: JoinedRow, withState: boolean): readonly SqlValue[] => {
  const volume = state.tables.volume(key.volumeId);
  return [
    key.keyId,
    computerName,
    state.shape.hasVolumeGuid
      ? (volume?.guid ?? null)
      : state.shape.volumeIdType === "uniqueidentifier"
        ? String(key.volumeId)
        : null,
    volume?.typeId ?? null,
    styled126(key.lastUpdateTime),
    state.disclosed.has(key.keyId.toUpperCase()),
    withState ? !state.tables.isNewest(key) : null,
    readableKey(state, key),
  ];
};

interface Page {
  readonly rowsOf: (key: ModelKey) => readonly JoinedRow[];
  readonly cellsOf: (row: JoinedRow) => readonly SqlValue[];
}

/** TOP (@pageRows) WITH TIES, in the order of key ids. */
const answerInOrder =
  (pageFor: (state: SiteState, request: TdsRequest) => Page) =>
  async (state: SiteState, request: TdsRequest, respond: Respond, signal: AbortSignal): Promise<void> => {
    const parameters = parametersOf(request);
    const { rowsOf, cellsOf } = pageFor(state, request);
    const after = textOf(parameters("afterKeyId"));
    let left = Number(parameters("pageRows"));
    respond.columns(pageColumns);
    for await (const keys of walk(state, after === undefined ? 0 : state.tables.firstAfter(after), signal))
      for (const key of keys) {
        if (left <= 0) return;
        const rows = rowsOf(key);
        for (const row of rows) await respond.row(cellsOf(row));
        left -= rows.length;
      }
  };

export const answerKeysById = answerInOrder((state, request) => {
  const parameters = parametersOf(request);
  const withState = parameters("withState") === true;
  return { rowsOf: filterFor(state, parameters), cellsOf: (row) => pageRow(state, row, withState) };
});

/** Of keys whose computer or id is like a piece. */
export const answerSearchKeys = answerInOrder((state, request) => {
  const parameters = parametersOf(request);
  const escapes = request.text.includes(String.raw`ESCAPE '\'`);
  const [name, id] = ["namePiece", "idPiece"].map((piece) => {
    const pattern = textOf(parameters(piece));
    return pattern === undefined ? undefined : likePattern(pattern, escapes && piece === "namePiece");
  });
  return {
    rowsOf: (key) =>
      state.tables
        .computersOf(key.volumeId)
        .filter((computerName) => name?.test(computerName) === true || id?.test(key.keyId) === true)
        .map((computerName) => ({ key, computerName })),
    cellsOf: (row) => [...pageRow(state, row, true).slice(0, -1), null],
  };
});

const compare = <Value extends string | number>(a: Value, b: Value): number => (a < b ? -1 : Number(a > b));

/** Newest first. Held in memory to be sorted: one computer's keys are few. */
export const answerKeysOfComputer = async (
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
  signal: AbortSignal,
): Promise<void> => {
  const parameters = parametersOf(request);
  const rowsOf = filterFor(state, parameters);
  const position = new Map<string, number>();
  const rows: JoinedRow[] = [];
  for await (const keys of walk(state, 0, signal))
    for (const key of keys) {
      position.set(key.keyId, position.size);
      rows.push(...rowsOf(key));
    }
  const order = (a: ModelKey, time: string, keyIndex: number): number =>
    compare(time, a.lastUpdateTime) || compare(position.get(a.keyId) ?? 0, keyIndex);
  const afterKey = textOf(parameters("afterKeyId"));
  const afterTime = storedTime(textOf(parameters("afterTime")) ?? "1900-01-01T00:00:00", state.shape.timeType);
  const behind = rows
    .filter(({ key }) => {
      if (afterKey === undefined) return true;
      return order(key, afterTime, state.tables.firstAfter(afterKey) - 1) > 0;
    })
    .sort((a, b) => order(a.key, b.key.lastUpdateTime, position.get(b.key.keyId) ?? 0));
  let left = Number(parameters("pageRows"));
  const withState = parameters("withState") === true;
  respond.columns(pageColumns);
  let last: ModelKey | undefined;
  for (const row of behind) {
    if (left <= 0 && row.key !== last) return;
    await respond.row(pageRow(state, row, withState));
    last = row.key;
    left -= 1;
  }
};

const answerCount = async (respond: Respond, name: string, count: number): Promise<void> => {
  respond.columns([{ name, type: "bigint" }]);
  await respond.row([BigInt(count)]);
};

export const answerCountKeys = async (
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
  signal: AbortSignal,
): Promise<void> => {
  const rowsOf = filterFor(state, parametersOf(request));
  let count = 0;
  for await (const keys of walk(state, 0, signal)) for (const key of keys) count += rowsOf(key).length;
  await answerCount(respond, "KeyCount", count);
};

export const answerCountUnreadable = async (state: SiteState, respond: Respond, signal: AbortSignal): Promise<void> => {
  let count = 0;
  for await (const keys of walk(state, 0, signal))
    count += keys.filter((key) => readableKey(state, key) === null).length;
  await answerCount(respond, "Unreadable", count);
};

/** A page of keys in the order of their ids: how many, how many can't be read, the first of these, and the last of the page. */
export const answerCountClosed = async (
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
  signal: AbortSignal,
): Promise<void> => {
  const parameters = parametersOf(request);
  const after = textOf(parameters("afterKeyId"));
  const most = Number(parameters("pageRows"));
  const page: ModelKey[] = [];
  for await (const keys of walk(state, after === undefined ? 0 : state.tables.firstAfter(after), signal)) {
    page.push(...keys.slice(0, most - page.length));
    if (page.length >= most) break;
  }
  const closed = page.filter((key) => readableKey(state, key) === null);
  respond.columns([
    { name: "Tried", type: "bigint" },
    { name: "Closed", type: "bigint" },
    { name: "FirstClosed", type: "nvarchar(64)" },
    { name: "LastKeyId", type: "nvarchar(64)" },
  ]);
  await respond.row([BigInt(page.length), BigInt(closed.length), closed[0]?.keyId ?? null, page.at(-1)?.keyId ?? null]);
};

export const answerCountOpened = async (state: SiteState, respond: Respond, signal: AbortSignal): Promise<void> => {
  const opens = (key: ModelKey): boolean => key.encryptedBy !== undefined && decrypted(state, key) !== null;
  let found = false;
  for await (const keys of walk(state, 0, signal)) found ||= keys.some(opens);
  await answerCount(respond, "Opened", Number(found));
};

/** The newest keys, and how many can be read. */
export const answerSample = async (
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
  signal: AbortSignal,
): Promise<void> => {
  const wanted = Number(parametersOf(request)("sampleRows"));
  const newestFirst = (keys: readonly ModelKey[]): readonly ModelKey[] =>
    keys.toSorted((a, b) => compare(b.lastUpdateTime, a.lastUpdateTime)).slice(0, wanted);
  let sample: readonly ModelKey[] = [];
  for await (const keys of walk(state, 0, signal)) sample = newestFirst([...sample, ...keys]);
  respond.columns([
    { name: "Sampled", type: "int" },
    { name: "Readable", type: "int" },
  ]);
  await respond.row([sample.length, sample.filter((key) => readableKey(state, key) !== null).length]);
};

/** Names of computers with a key: the model has no others. */
export const answerFindComputers = async (
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
  signal: AbortSignal,
): Promise<void> => {
  const parameters = parametersOf(request);
  const [same, short] = [textOf(parameters("computerName")), textOf(parameters("shortName"))];
  const longer = textOf(parameters("longerNames"));
  const like = longer === undefined ? undefined : likePattern(longer, request.text.includes(String.raw`ESCAPE '\'`));
  const found = new Set<string>();
  for await (const keys of walk(state, 0, signal))
    for (const name of keys.flatMap((key) => state.tables.computersOf(key.volumeId)))
      if ([same, short].some((one) => one !== undefined && fold(one) === fold(name)) || like?.test(name) === true)
        found.add(name);
  respond.columns([
    { name: "ComputerName", type: "nvarchar(63)" },
    { name: "IsSame", type: "bit" },
  ]);
  const rows = [...found].map((name) => ({ name, isSame: fold(name) === fold(same ?? "") }));
  rows.sort((a, b) => Number(b.isSame) - Number(a.isSame) || compare(fold(a.name), fold(b.name)));
  for (const { name, isSame } of rows.slice(0, Number(parameters("most")))) await respond.row([name, isSame]);
};

/** Marks the key, then gives it: the columns of MBAM's key row. */
export const answerGetRecoveryKey = async (state: SiteState, request: TdsRequest, respond: Respond): Promise<void> => {
  if (!state.shape.hasGetRecoveryKey) throw new SqlError(2812, "Could not find stored procedure 'GetRecoveryKey'.");
  if (!state.permissions.has("EXECUTE GetRecoveryKey")) throw denied("EXECUTE", "GetRecoveryKey");
  const known = ["RecoveryKeyId", "Reason"];
  const stranger = request.parameters.find(({ name }) => !known.includes(name));
  if (stranger !== undefined)
    throw new SqlError(8145, `@${stranger.name} is not a parameter for procedure GetRecoveryKey.`);
  const parameters = parametersOf(request);
  const reason = textOf(parameters("Reason")) ?? "";
  const key = state.tables.findKey(textOf(parameters("RecoveryKeyId")) ?? "");
  if (key !== undefined) {
    if (isReadOnly(state, request))
      throw new SqlError(3906, `Failed to update database "${state.databaseName}" because the database is read-only.`);
    state.disclosed.add(key.keyId.toUpperCase());
    state.disclosures.push({ keyId: key.keyId, reason, user: request.user });
  }
  respond.columns([
    { name: "RecoveryKeyId", type: "varchar(36)" },
    { name: "RecoveryKey", type: "nvarchar(55)" },
    { name: "LastUpdateTime", type: state.shape.timeType === "datetime" ? "datetime" : "datetime2(7)" },
    { name: "MachineName", type: "nvarchar(63)" },
    ...(state.shape.hasPackages ? ([{ name: "BitLockerRecoveryKeyPackage", type: "varbinary(7000)" }] as const) : []),
  ]);
  if (key === undefined) return;
  const text = key.encryptedBy === undefined ? key.recoveryKey : decrypted(state, key);
  await respond.row([
    key.keyId,
    text,
    key.lastUpdateTime,
    state.tables.computersOf(key.volumeId)[0] ?? null,
    ...(state.shape.hasPackages ? [key.recoveryPackage ?? null] : []),
  ]);
};
