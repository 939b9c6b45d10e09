import { Ambiguous, EndpointError } from "../server/errors.ts";
import type { EstimateContext } from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import { computerName } from "../server/command/parameter-kinds.ts";
import { list } from "../server/command/parameters.ts";
import { rowsCommand } from "../server/command/rows-command.ts";
import type { TpmPasswordHash } from "../server/command/site-database.ts";
import { listInWords } from "../server/model/list-in-words.ts";
import { findStored } from "./find-stored.ts";
import { helpdeskReason, tpmOwnerReasons } from "./helpdesk-reason.ts";

/** A script that asks for 200 has its own list. */
const mostNamed = 200;
const what = { one: "TPM password hash", several: "TPM password hashes" };

interface Found {
  readonly hashes: readonly TpmPasswordHash[];
  readonly missing: string | undefined;
  readonly notes: readonly string[];
}

/** @throws EndpointError ObjectNotFound where none of the computers has one */
const find = async (names: readonly string[], context: EstimateContext): Promise<Found> => {
  const { siteDatabase, signal } = context;
  const read = (name: string): Promise<readonly TpmPasswordHash[]> => siteDatabase.readTpmPasswordHashes(name, signal);
  const countOf = async (name: string): Promise<number> => (await read(name)).length;
  const { stored, missing, ambiguous, notes } = await findStored(names, { what, countOf }, context);
  const sentences = [
    ...(missing.length === 0
      ? []
      : [`No TPM password hash was found for computer ${listInWords(missing, ", ", mostNamed)}.`]),
    ...ambiguous,
  ];
  const sentence = sentences.length === 0 ? undefined : sentences.join(" ");
  if (sentence !== undefined && stored.length === 0)
    throw ambiguous.length === 0 ? new EndpointError("ObjectNotFound", sentence) : new Ambiguous(sentence);
  const hashes: TpmPasswordHash[] = [];
  for (const name of stored) hashes.push(...(await read(name)));
  return { hashes, missing: sentence, notes };
};

export const getTpmPasswordHash = rowsCommand({
  name: "Get-TpmPasswordHash",
  synopsis: "Shows the hash of a TPM's owner password, to reset its lockout.",
  description:
    "Reads what an import told of a computer's TPM, the newest first. Windows keeps none since Windows 10 1607. Every hash that is shown " +
    "is on the record with your name before you see it. Of several computers, those with a hash are shown and the others are named " +
    "(exit status 3).",
  examples: [
    {
      line: 'Get-TpmPasswordHash -ComputerName DEMO-PC-01 -Reason "Reset PIN lockout"',
      explains: "The hash for one computer.",
    },
  ],
  parameters: {
    ComputerName: list(computerName, {
      synopsis: "The computers whose TPM it is.",
      position: 0,
      bounds: "computerName",
    }),
    Reason: helpdeskReason("Why the hash is needed; it goes on the record.", tpmOwnerReasons),
  },
  conflict: ({ ComputerName }) => (ComputerName === undefined ? "Give -ComputerName." : undefined),
  estimateRows: async ({ ComputerName = [] }, context) => {
    const { hashes, missing, notes } = await find(ComputerName, context);
    const finding = [...(missing === undefined ? [] : [missing]), ...notes].join(" ");
    return { rows: hashes.length, ...given({ finding: finding === "" ? undefined : finding }) };
  },
  columns: [
    { name: "ComputerName", width: 16, cell: (one: TpmPasswordHash) => one.computerName },
    { name: "TpmPasswordHash", width: 28, secret: true, cell: (one: TpmPasswordHash) => one.hash },
    { name: "LastUpdateTime", width: 24, cell: (one: TpmPasswordHash) => one.lastUpdateTime },
  ],
  rows: async ({ ComputerName = [] }, context) => {
    const { hashes, missing, notes } = await find(ComputerName, context);
    for (const text of [...(missing === undefined ? [] : [missing]), ...notes]) await context.tell(text);
    return {
      rows: hashes,
      secretsAre: what.several,
      ...given({ exitStatus: missing === undefined ? undefined : (3 as const) }),
    };
  },
});
