import { Ambiguous, EndpointError } from "../server/errors.ts";
import { given } from "../server/command/given.ts";
import type { CommandContext, EstimateContext, RowEstimate, RowsResult } from "../server/command/define-command.ts";
import { wholeKeyIdLength } from "../server/command/parameter-kinds.ts";
import { rowsResult, type ColumnOf } from "../server/command/rows-command.ts";
import type { OtherProtector, ProtectorQuery } from "../server/command/site-database.ts";
import { listInWords } from "../server/model/list-in-words.ts";
import { findStored } from "./find-stored.ts";

export interface WantedProtectors {
  readonly query: ProtectorQuery;
  /** Refuse where one of the names or ids has none. */
  readonly strict: boolean;
}

const columns: readonly ColumnOf<OtherProtector>[] = [
  { name: "ComputerName", width: 16, cell: (one) => one.computerName },
  { name: "VolumeType", width: 15, cell: (one) => one.volumeType },
  { name: "ProtectorType", width: 17, cell: (one) => one.protectorType },
  { name: "Category", width: 8, cell: (one) => one.category ?? null },
  { name: "ProtectorId", width: wholeKeyIdLength, cell: (one) => one.protectorId },
  { name: "FileName", width: 40, secret: true, cell: (one) => one.fileName ?? null },
  { name: "Thumbprint", width: 40, secret: true, cell: (one) => one.thumbprint ?? null },
  { name: "VolumeId", width: wholeKeyIdLength, cell: (one) => one.volumeId ?? null },
  { name: "LastUpdateTime", width: 24, cell: (one) => one.lastUpdateTime },
];

/** A script that asks for 200 has its own list. */
const mostNamed = 200;

interface FoundProtectors {
  readonly query: ProtectorQuery;
  readonly count: () => Promise<number>;
  readonly missing: string | undefined;
  readonly notes: readonly string[];
}

/**
 * Looks for each computer and id before anything is disclosed, as for keys.
 *
 * @throws EndpointError ObjectNotFound where nothing is there, or not all with -Strict
 */
const find = async ({ query: asked, strict }: WantedProtectors, context: EstimateContext): Promise<FoundProtectors> => {
  const { siteDatabase, signal } = context;
  const countFor = async (query: ProtectorQuery): Promise<number> => {
    let count = 0;
    for await (const batch of siteDatabase.readProtectors(query, signal)) count += batch.length;
    return count;
  };
  const countOf = (name: string): Promise<number> => countFor({ ...asked, computerNames: [name] });
  const found =
    asked.computerNames &&
    (await findStored(asked.computerNames, { what: { one: "protector", several: "protectors" }, countOf }, context));
  const query = found === undefined ? asked : { ...asked, computerNames: found.stored };
  const missing = (found?.missing ?? []).map((name) => `computer ${name}`);
  for (const id of asked.passwordIds ?? [])
    if ((await countFor({ ...query, passwordIds: [id] })) === 0) missing.push(`the volume of key id ${id}`);
  const sentences = [
    ...(missing.length === 0 ? [] : [`No other protector was found for ${listInWords(missing, ", ", mostNamed)}.`]),
    ...(found?.ambiguous ?? []),
  ];
  const sentence = sentences.length === 0 ? undefined : sentences.join(" ");
  const count = (): Promise<number> => countFor(query);
  if (sentence !== undefined && (strict || (await count()) === 0))
    throw found === undefined || found.ambiguous.length === 0
      ? new EndpointError("ObjectNotFound", sentence)
      : new Ambiguous(sentence);
  return { query, count, missing: sentence, notes: found?.notes ?? [] };
};

export const estimateProtectors = async (wanted: WantedProtectors, context: EstimateContext): Promise<RowEstimate> => {
  const { count, missing, notes } = await find(wanted, context);
  const finding = [...(missing === undefined ? [] : [missing]), ...notes].join(" ");
  return { rows: await count(), ...given({ finding: finding === "" ? undefined : finding }) };
};

/**
 * The protectors of volumes that are no recovery passwords. Where one's means is kept is a secret of its own kind.
 *
 * @throws EndpointError ObjectNotFound, ResourceUnavailable
 */
export const listProtectors = async (wanted: WantedProtectors, context: CommandContext): Promise<RowsResult> => {
  const { query, count, missing, notes } = await find(wanted, context);
  for (const text of [...(missing === undefined ? [] : [missing]), ...notes]) await context.tell(text);
  return rowsResult(columns, {
    rows: context.siteDatabase.readProtectors(query, context.signal),
    count,
    secretsAre: "protectors",
    ...given({ exitStatus: missing === undefined ? undefined : (3 as const) }),
  });
};
