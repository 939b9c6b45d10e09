import { Ambiguous, EndpointError } from "../server/errors.ts";
import { defineCommand, type EstimateContext } from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import { computerName, keyIdOrPrefix, oneOf } from "../server/command/parameter-kinds.ts";
import { flag, list, value } from "../server/command/parameters.ts";
import type { Values } from "../server/command/parameters.ts";
import { volumeTypes, type RecoveryKey, type RecoveryKeyQuery } from "../server/command/site-database.ts";
import { listInWords } from "../server/model/list-in-words.ts";
import { findStored, keysCounted } from "./find-stored.ts";
import { helpdeskReason } from "./helpdesk-reason.ts";

const parameters = {
  RecoveryKeyId: value(keyIdOrPrefix, {
    synopsis: "The package of the key with this id, as the recovery screen shows it.",
    position: 0,
  }),
  ComputerName: value(computerName, { synopsis: "The package of this computer's key.", bounds: "computerName" }),
  VolumeType: list(oneOf(volumeTypes), { synopsis: "Only of these kinds of volume.", bounds: "volumeType" }),
  Latest: flag({ synopsis: "Only of the newest key of each volume." }),
  Reason: helpdeskReason("Why the package is needed; it goes on the record."),
  Base64: flag({ synopsis: "A line of base64 instead of the bytes, for a shell that changes bytes." }),
};

/** More keys than one id or one computer has. */
const mostLookedAt = 100;
/** Beyond these a list helps nobody to choose. */
const mostNamed = 10;

const inWords = ({ passwordId, computerName: computer, volumeType, lastUpdateTime, state }: RecoveryKey): string =>
  `${passwordId} (${[computer, volumeType, lastUpdateTime, ...(state === undefined ? [] : [state])].join(", ")})`;

/** What a line means: keys, each once, the newest first; and what is worth knowing of the computer's name. */
interface Meant {
  readonly keys: readonly RecoveryKey[];
  readonly notes: readonly string[];
}

/** The query for the computer as it is stored. @throws EndpointError ObjectNotFound */
const ofStored = async (
  name: string,
  asked: RecoveryKeyQuery,
  context: EstimateContext,
): Promise<{ readonly query: RecoveryKeyQuery } & Pick<Meant, "notes">> => {
  const { stored, missing, ambiguous, notes } = await findStored([name], keysCounted(asked, context), context);
  if (stored.length > 0) return { query: { ...asked, computerNames: stored }, notes };
  if (missing.length > 0) throw new EndpointError("ObjectNotFound", `No recovery key was found for computer ${name}.`);
  throw new Ambiguous(ambiguous.join(" "));
};

/** Finds the keys that a line may mean. Their recovery passwords stay closed. @throws EndpointError ObjectNotFound */
const findKeys = async (values: Values<typeof parameters>, context: EstimateContext): Promise<Meant> => {
  const { RecoveryKeyId: id, ComputerName: name, VolumeType, Latest } = values;
  const asked: RecoveryKeyQuery = {
    ...given({ passwordIds: id === undefined ? undefined : [id], volumeTypes: VolumeType, latest: Latest }),
    withState: true,
  };
  const { query, notes } = name === undefined ? { query: asked, notes: [] } : await ofStored(name, asked, context);
  const keys = new Map<string, RecoveryKey>();
  for await (const batch of context.siteDatabase.readRecoveryKeys(query, context.signal)) {
    for (const key of batch) if (!keys.has(key.passwordId)) keys.set(key.passwordId, key);
    if (keys.size > mostLookedAt) break;
  }
  if (keys.size === 0)
    throw new EndpointError("ObjectNotFound", `No recovery key was found for ${id ?? `computer ${name ?? ""}`}.`);
  return { keys: [...keys.values()].toSorted((a, b) => b.lastUpdateTime.localeCompare(a.lastUpdateTime)), notes };
};

const noPackage = (): EndpointError =>
  new EndpointError("ObjectNotFound", "The site database has no recovery package of this key.");

/**
 * The one key whose package is asked for.
 *
 * @throws EndpointError ObjectNotFound where none has a package, or several may have one
 */
const findKey = async (
  values: Values<typeof parameters>,
  context: EstimateContext,
): Promise<{ readonly key: RecoveryKey } & Pick<Meant, "notes">> => {
  const { keys, notes } = await findKeys(values, context);
  const found: RecoveryKey[] = [];
  for (const key of keys) {
    // What only the taking tells may be there.
    if ((await context.siteDatabase.hasRecoveryPackage(key.passwordId, context.signal)) !== false) found.push(key);
  }
  const [key, ...others] = found;
  if (key === undefined) throw noPackage();
  if (others.length === 0) return { key, notes };
  const choice = listInWords(found.map(inWords), "; ", mostNamed);
  throw new Ambiguous(`Several keys may have a package: give the whole id of one. ${choice}`);
};

export const getRecoveryPackage = defineCommand({
  name: "Get-RecoveryPackage",
  synopsis: "Sends the recovery package of one key, to repair a damaged volume.",
  description:
    "Writes the key package as a file to standard output. repair-bde takes it on a computer where the damaged drive is attached, with the " +
    "recovery password of the same key: repair-bde E: F: -kp FILE -rp PASSWORD. The drive F: is overwritten. For scripts only. The " +
    "package is on the record with your name before you get it, and its client is told to replace the key.",
  examples: [
    {
      line: "Get-RecoveryPackage -ComputerName DEMO-PC-01",
      explains: 'From your own machine: ssh HOST "Get-RecoveryPackage -ComputerName DEMO-PC-01" > package.kp',
    },
    {
      line: 'Get-RecoveryPackage 24B0AA32 -Reason "Other" -Base64',
      explains: "The same by a key id, as a line of base64: for Windows PowerShell, which changes bytes.",
    },
  ],
  parameters,
  conflict: ({ RecoveryKeyId, ComputerName }) =>
    RecoveryKeyId === undefined && ComputerName === undefined ? "Give a key's id, or -ComputerName." : undefined,
  estimateRows: async (values, context) => {
    const { notes } = await findKey(values, context);
    return { rows: 1, ...given({ finding: notes.length === 0 ? undefined : notes.join(" ") }) };
  },
  run: async (values, context) => {
    const { interactive, siteDatabase, signal } = context;
    if (interactive) {
      throw new EndpointError(
        "InvalidArgument",
        'A screen can\'t take a file. Run it from your own machine: ssh HOST "Get-RecoveryPackage KEYID" > package.kp',
      );
    }
    const { key, notes } = await findKey(values, context);
    const { passwordId, computerName: computer } = key;
    for (const note of notes) await context.tell(note);
    return {
      kind: "secret-file",
      label: { keyId: passwordId, computerName: computer, what: "recovery-package" },
      take: async () => {
        const taken = await siteDatabase.takeRecoveryPackage(passwordId, values.Reason ?? "No reason given", signal);
        if (taken === undefined) throw noPackage();
        return taken;
      },
      inBase64: values.Base64 === true,
    };
  },
});
