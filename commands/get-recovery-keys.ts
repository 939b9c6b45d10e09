import { Ambiguous, EndpointError } from "../server/errors.ts";
import {
  volumeTypes,
  type Collected,
  type ListedKey,
  type RecoveryKey,
  type RecoveryKeyQuery,
} from "../server/command/site-database.ts";
import {
  isForPeople,
  type CommandContext,
  type EstimateContext,
  type OutputFormat,
  type RowsResult,
} from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import { findStored, keysCounted } from "./find-stored.ts";
import { helpdeskReason } from "./helpdesk-reason.ts";
import { listInWords } from "../server/model/list-in-words.ts";
import { estimateProtectors, listProtectors, type WantedProtectors } from "./list-protectors.ts";
import { newestFirst } from "./newest-first.ts";
import {
  computerName,
  keyIdOrPrefix,
  oneOf,
  searchPiece,
  since,
  wholeKeyIdLength,
} from "../server/command/parameter-kinds.ts";
import { flag, list, value } from "../server/command/parameters.ts";
import type { Values } from "../server/command/parameters.ts";
import { momentOf } from "../server/model/moment.ts";
import { rowsCommand, rowsResult } from "../server/command/rows-command.ts";
import type { ColumnOf } from "../server/command/rows-command.ts";

const parameters = {
  ComputerName: list(computerName, {
    synopsis: "Only keys of these computers.",
    position: 0,
    bounds: "computerName",
    elseReadAs: "RecoveryKeyId",
  }),
  RecoveryKeyId: list(keyIdOrPrefix, {
    synopsis: "Only the keys with these ids, as manage-bde and the recovery screen show them.",
  }),
  VolumeType: list(oneOf(volumeTypes), {
    synopsis: "Only keys of these kinds of volume.",
    bounds: "volumeType",
  }),
  Since: value(since, { synopsis: "Only keys stored at this time or later." }),
  Latest: flag({
    synopsis:
      "Only the newest key of each volume. If the imported data names no volume: of each computer and kind of volume. " +
      "Keys of the same time are all shown.",
  }),
  Search: value(searchPiece, {
    synopsis: "List keys by a part of a computer's name or of a key id, to choose from. Shows no key.",
    restricted: true,
    searches: true,
  }),
  Protectors: flag({
    synopsis:
      "List what else opens these volumes: external keys with the names of their files, data recovery agents with their certificates. " +
      "Shows no key.",
    restricted: true,
  }),
  Strict: flag({ synopsis: "Show nothing if one of the named computers or ids has no key." }),
  Reason: helpdeskReason("Why the key is needed; it goes on the record."),
  NoRotation: flag({
    synopsis: "Do not mark the keys as disclosed, so that clients keep them.",
    restricted: true,
  }),
  raw: flag({
    synopsis:
      "The mapping between password id, recovery key and computer name of each encrypted volume, one row a password; keys are not marked as disclosed.",
    restricted: true,
  }),
};

type KeyColumn = ColumnOf<RecoveryKey>;

const passwordId: KeyColumn = { name: "PasswordId", width: wholeKeyIdLength, cell: (key) => key.passwordId };
const recoveryKey: KeyColumn = { name: "RecoveryKey", width: 55, secret: true, cell: (key) => key.recoveryKey };
const computer: KeyColumn = { name: "ComputerName", width: 16, cell: (key) => key.computerName };
const volumeId: KeyColumn = { name: "VolumeId", width: wholeKeyIdLength, cell: (key) => key.volumeId ?? null };
const volumeType: KeyColumn = { name: "VolumeType", width: 15, cell: (key) => key.volumeType };
const lastUpdateTime: KeyColumn = { name: "LastUpdateTime", width: 24, cell: (key) => key.lastUpdateTime };
const disclosed: KeyColumn = { name: "Disclosed", width: 9, cell: (key) => key.disclosed };
const state: KeyColumn = { name: "State", width: 8, cell: (key) => key.state ?? null };

const ordinaryColumns = [computer, volumeType, passwordId, recoveryKey, lastUpdateTime, disclosed, state];
/** Scripts read these by place: names and order stay. */
const rawColumns = [passwordId, recoveryKey, computer, volumeId, volumeType, lastUpdateTime];

/** Protectors are listed whole: none replaces another, and no client is told. */
const notOfProtectors = ["Since", "Latest", "NoRotation", "raw"] as const;

/** A search lists; what would show or shape keys has no meaning beside it. */
const beside = [
  "ComputerName",
  "RecoveryKeyId",
  "VolumeType",
  "Since",
  "Latest",
  "Protectors",
  "Strict",
  "NoRotation",
  "raw",
] as const;

const searchColumns: readonly ColumnOf<ListedKey>[] = [
  { name: "ComputerName", width: 16, cell: (key) => key.computerName },
  { name: "VolumeType", width: 15, cell: (key) => key.volumeType },
  { name: "PasswordId", width: wholeKeyIdLength, cell: (key) => key.passwordId },
  { name: "LastUpdateTime", width: 24, cell: (key) => key.lastUpdateTime },
  { name: "State", width: 8, cell: (key) => key.state ?? null },
];

/** @throws EndpointError ObjectNotFound */
const searchFor = async (piece: string, { search, tell }: CommandContext): Promise<RowsResult> => {
  if (search === undefined) throw new EndpointError("InvalidArgument", "Your role has no rule to search by.");
  const { keys, more } = await search(piece);
  if (keys.length === 0)
    throw new EndpointError("ObjectNotFound", `No computer's name and no key id was found that has ${piece} in it.`);
  if (more) await tell(`There are more than these ${keys.length}: a longer piece leaves fewer.`);
  return rowsResult(searchColumns, { rows: keys });
};

const queryOf = (values: Values<typeof parameters>, now: Date): RecoveryKeyQuery =>
  given({
    computerNames: values.ComputerName,
    passwordIds: values.RecoveryKeyId,
    volumeTypes: values.VolumeType,
    since: momentOf(values.Since, now),
    latest: values.Latest,
    withState: values.raw === undefined ? true : undefined,
  });

const protectorsOf = (values: Values<typeof parameters>): WantedProtectors => ({
  strict: values.Strict === true,
  query: given({
    computerNames: values.ComputerName,
    passwordIds: values.RecoveryKeyId,
    volumeTypes: values.VolumeType,
  }),
});

/** What the recovery screen shows of a key id, typed where a computer's name stands. */
const looksLikeKeyId = (name: string): boolean => /^[0-9A-F]{8}(?:-[0-9A-F]{4}){0,3}(?:-[0-9A-F]{12})?$/i.test(name);

const hintFor = ({ computerNames = [] }: RecoveryKeyQuery): string => {
  const name = computerNames.find(looksLikeKeyId);
  return name === undefined ? "" : ` Is it from the recovery screen? Then it is a key id: -RecoveryKeyId ${name}`;
};

/** A script that asks for 200 has its own list. */
const mostNamed = 200;

const noKeyFor = (missing: readonly string[], query: RecoveryKeyQuery): string => {
  const narrowed = query.volumeTypes !== undefined || query.since !== undefined || query.latest !== undefined;
  return `No recovery key was found for ${listInWords(missing, ", ", mostNamed)}${
    narrowed ? " with the given -VolumeType, -Since or -Latest" : ""
  }.${hintFor(query)}`;
};

/** A query for what is there, and what was found on the way to it. */
interface Wanted {
  /** With the names as they are stored. */
  readonly query: RecoveryKeyQuery;
  readonly count: () => Promise<number>;
  /** What was named and has no key, in sentences. */
  readonly missing: string | undefined;
  /** What is worth knowing of the rest. */
  readonly notes: readonly string[];
}

/**
 * Looks for each computer and id before anything is disclosed: a script must not take a misspelt name for a computer without keys,
 * nor lose 199 answers for one.
 *
 * @throws EndpointError ObjectNotFound where nothing is there, or not all with -Strict
 */
const findWanted = async (asked: RecoveryKeyQuery, strict: boolean, context: EstimateContext): Promise<Wanted> => {
  const { siteDatabase, signal } = context;
  const count = (query: RecoveryKeyQuery): Promise<number> => siteDatabase.countRecoveryKeys(query, signal);
  const found = asked.computerNames && (await findStored(asked.computerNames, keysCounted(asked, context), context));
  const query: RecoveryKeyQuery = found === undefined ? asked : { ...asked, computerNames: found.stored };
  let counted = found !== undefined && found.stored.length === 1 ? found.rows : undefined;
  const countAll = async (): Promise<number> => (counted ??= await count(query));
  const missing = (found?.missing ?? []).map((name) => `computer ${name}`);
  const ids = asked.passwordIds ?? [];
  // Each of several is looked for, also where none is there: the time that it takes must not tell the one from the other.
  for (const id of ids) {
    if ((await (ids.length === 1 ? countAll() : count({ ...query, passwordIds: [id] }))) === 0)
      missing.push(id.length === wholeKeyIdLength ? `key id ${id}` : `a key id that begins with ${id}`);
  }
  const sentences = [...(missing.length === 0 ? [] : [noKeyFor(missing, asked)]), ...(found?.ambiguous ?? [])];
  const sentence = sentences.length === 0 ? undefined : sentences.join(" ");
  if (sentence !== undefined && (strict || found?.stored.length === 0 || (await countAll()) === 0))
    throw found === undefined || found.ambiguous.length === 0
      ? new EndpointError("ObjectNotFound", sentence)
      : new Ambiguous(sentence);
  return { query, count: countAll, missing: sentence, notes: found?.notes ?? [] };
};

/**
 * Close names for the one that has no keys. Several come from a list, and a name that is narrowed may be the right one; neither is worth
 * the searches that this takes.
 */
const didYouMean = async ({ computerNames, ...others }: RecoveryKeyQuery, context: CommandContext): Promise<string> => {
  const [name, ...more] = computerNames ?? [];
  const isNarrowed = Object.keys(others).some((part) => part !== "withState");
  if (context.closeComputers === undefined || name === undefined || more.length > 0 || isNarrowed) return "";
  const close = looksLikeKeyId(name) ? [] : await context.closeComputers(name);
  return close.length === 0 ? "" : ` Did you mean ${listInWords(close, " or ")}?`;
};

const narrowingFor = (context: CommandContext, given: Values<typeof parameters>): readonly string[] => {
  const own = context.visibleCommands.find(({ name }) => name === "Get-RecoveryKeys")?.parameters ?? [];
  return (["RecoveryKeyId", "VolumeType", "Since", "Latest"] as const)
    .filter((name) => given[name] === undefined && own.some((parameter) => parameter.name === name))
    .map((name) => `-${name}`);
};

/** Parameters that leave no key out. Named, so that a new parameter narrows until somebody says otherwise. */
const leaveNothingOut: ReadonlySet<string> = new Set(["raw", "Format", "Reason", "NoRotation", "Strict"]);

/** Whether the line asks for every key with all that is needed to find it again, in a form that a program reads. */
const isWhole = (values: Values<typeof parameters> & { readonly Format?: OutputFormat }): boolean =>
  values.raw === true &&
  Object.keys(values).every((name) => leaveNothingOut.has(name)) &&
  !isForPeople(values.Format ?? "json");

/** Before the first key is read: one that comes meanwhile counts as not collected. */
const countBefore = async ({ siteDatabase, signal, now }: CommandContext): Promise<Collected | undefined> => {
  const began = now().toISOString();
  const stored = await siteDatabase.keysStored(signal);
  return stored && { database: stored.database, stored: stored.keys, began };
};

export const getRecoveryKeys = rowsCommand({
  name: "Get-RecoveryKeys",
  aliases: ["Get-AzsRecoveryKeys"],
  synopsis: "Shows recovery keys of encrypted volumes.",
  description:
    "Reads BitLocker recovery keys from the site database. Every key that is shown is on the record with your name before you see it, " +
    "and its client is told to replace it. Disclosed is True if that happened before. A key must satisfy all filters; the values of one " +
    "filter are alternatives. Of several computers or ids, those with keys are shown and the others are named (exit status 3). The newest " +
    "keys come first, for each computer named or for all ids named. State is Current for the newest key of a volume, and Replaced for an " +
    "older one. It is Older if a newer key of the same computer and kind of volume is known, but not whether it is of this volume. On a " +
    "screen, several keys are listed to choose from and one is shown at a time; -Format table shows all.",
  examples: [
    { line: "Get-RecoveryKeys -ComputerName DEMO-PC-01", explains: "Every key of one computer." },
    {
      line: 'Get-RecoveryKeys -RecoveryKeyId 24B0AA32 -Reason "Lost PIN"',
      explains: "The key whose id begins with the digits on the recovery screen.",
    },
    {
      line: "Get-RecoveryKeys DEMO-PC-01,DEMO-PC-02 -VolumeType OperatingSystem -Latest",
      explains: "The newest key of each.",
    },
    {
      line: "Get-RecoveryKeys -ComputerName DEMO-PC-01 | Select-Object PasswordId,LastUpdateTime",
      explains: "The ids of the keys, without the keys.",
    },
    { line: "Get-RecoveryKeys -Since 7d -Format csv", explains: "The keys of the last seven days." },
    { line: "Get-RecoveryKeys | Measure-Object", explains: "How many keys there are." },
    {
      line: "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Protectors",
      explains: "What opens the volumes of this computer besides recovery keys.",
    },
    { line: "Get-RecoveryKeys -raw", explains: "Every key of the site as one JSON array, for safe-keeping elsewhere." },
  ],
  parameters,
  conflict: (values) => {
    const other = values.Search === undefined ? undefined : beside.find((name) => values[name] !== undefined);
    if (other !== undefined) return `-Search lists keys and shows none: leave -${other} out.`;
    const ofKeys =
      values.Protectors === undefined ? undefined : notOfProtectors.find((name) => values[name] !== undefined);
    return ofKeys === undefined ? undefined : `-Protectors lists other protectors than keys: leave -${ofKeys} out.`;
  },
  estimateRows: async (values, context) => {
    if (values.Protectors === true) return estimateProtectors(protectorsOf(values), context);
    const wanted = await findWanted(queryOf(values, context.now()), values.Strict === true, context);
    const finding = [...(wanted.missing === undefined ? [] : [wanted.missing]), ...wanted.notes].join(" ");
    return { rows: await wanted.count(), ...given({ finding: finding === "" ? undefined : finding }) };
  },
  columns: ({ raw }) => (raw === true ? rawColumns : ordinaryColumns),
  rows: async (values, context) => {
    if (values.Search !== undefined) return searchFor(values.Search, context);
    if (values.Protectors === true) return listProtectors(protectorsOf(values), context);
    const { siteDatabase, signal } = context;
    const asked = queryOf(values, context.now());
    const { query, count, missing, notes } = await findWanted(asked, values.Strict === true, context).catch(
      async (error: unknown) => {
        const isMissing = error instanceof EndpointError && error.category === "ObjectNotFound";
        if (!isMissing || error instanceof Ambiguous) throw error;
        throw new EndpointError("ObjectNotFound", error.message + (await didYouMean(asked, context)));
      },
    );
    for (const text of [...(missing === undefined ? [] : [missing]), ...notes]) await context.tell(text);
    // What is read on a screen is gone with it.
    const collects = isWhole(values) && !context.interactive ? await countBefore(context) : undefined;
    const keep = values.raw === true || values.NoRotation === true;
    return {
      rows: newestFirst(() => siteDatabase.readRecoveryKeys(query, signal), query.passwordIds !== undefined),
      count,
      narrowing: narrowingFor(context, values),
      ...given({
        mark: keep
          ? undefined
          : (keyIds: readonly string[]) =>
              siteDatabase.markDisclosed(keyIds, values.Reason ?? "No reason given", signal),
        format: values.raw === true ? ("json" as const) : undefined,
        collects,
        exitStatus: missing === undefined ? undefined : (3 as const),
      }),
    };
  },
});
