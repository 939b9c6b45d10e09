import { EndpointError } from "../../errors.ts";
import { Secret } from "../../secret.ts";
import type { KeyState, ListedKey, RecoveryKey, RecoveryKeyQuery, VolumeType } from "../../command/site-database.ts";
import { foldComputerName } from "../../model/computer-name.ts";
import { canonicalRecoveryPassword } from "../../model/recovery-password.ts";
import { decodeNumber, decodeText, decodeTime, unreadable } from "./columns.ts";
import { unavailable } from "./errors.ts";
import type { Site } from "./introspection.ts";
import type { KeyFilter, KeyPosition } from "./statements.ts";

export type Row = readonly unknown[];

/** Positions of a page's columns; the order of `keyColumns`. */
const at = {
  keyId: 0,
  computerName: 1,
  volumeId: 2,
  volumeTypeId: 3,
  lastUpdateTime: 4,
  disclosed: 5,
  replaced: 6,
  recoveryKey: 7,
} as const;

const idPattern = /^[0-9A-F-]{8,36}$/;

/** Ids of which none is another's beginning, so that no key is found twice. */
const withoutCovered = (ids: readonly string[]): readonly string[] =>
  [...new Set(ids)].filter((id, _, all) => !all.some((other) => other !== id && id.startsWith(other)));

/** Names that SQL Server would take for one, asked for once: case and trailing blanks don't count there. */
const distinctNames = (names: readonly string[]): readonly string[] => [
  ...new Map(names.map((name) => [foldComputerName(name).trimEnd(), name])).values(),
];

/**
 * A query as questions for one id and one name each, whose answers don't overlap. One statement for all would need a list
 * as a parameter: OPENJSON and STRING_SPLIT want a compatibility level that a site database need not have.
 */
export const filtersOf = (query: RecoveryKeyQuery, site: Site): readonly KeyFilter[] => {
  if (query.passwordIds?.some((id) => !idPattern.test(id)))
    throw new EndpointError(
      "InvalidArgument",
      "A recovery key id must be a GUID, or its first 8 or more characters: digits, A to F and hyphens.",
    );
  const ids = query.passwordIds === undefined ? [undefined] : withoutCovered(query.passwordIds);
  const names = query.computerNames === undefined ? [undefined] : distinctNames(query.computerNames);
  const wanted = query.volumeTypes;
  const volumeTypeIds =
    wanted === undefined
      ? undefined
      : `,${[
          ...[...site.volumeTypes].filter(([, type]) => wanted.includes(type)).map(([id]) => String(id)),
          ...(wanted.includes("Unknown") ? ["none"] : []),
        ].join(",")},`;
  const since = query.since?.toISOString().slice(0, 23);
  const latest = query.latest === true;
  const withState = query.withState === true;
  return ids.flatMap((passwordId) =>
    names.map((computerName) => ({ passwordId, computerName, since, volumeTypeIds, latest, withState })),
  );
};

export const positionOf = (row: Row): KeyPosition => ({
  keyId: decodeText(row[at.keyId], "RecoveryKeyId"),
  lastUpdateTime: decodeText(row[at.lastUpdateTime], "LastUpdateTime"),
});

/** Rows of one key (one for each of its computers) stay together: a page begins behind a key, never within one. */
export const isSameKey = (a: Row, b: Row): boolean =>
  decodeText(a[at.keyId], "RecoveryKeyId").toUpperCase() === decodeText(b[at.keyId], "RecoveryKeyId").toUpperCase();

/** Upper case, without braces, as the port has it. */
const passwordIdOf = (raw: string): string =>
  raw
    .trim()
    .replace(/^\{(.*)\}$/, "$1")
    .toUpperCase();

const volumeTypeOf = (raw: unknown, volumeTypes: Site["volumeTypes"]): VolumeType =>
  raw === null ? "Unknown" : (volumeTypes.get(decodeNumber(raw, "VolumeTypeId")) ?? "Unknown");

const stateOf = (replaced: unknown): KeyState | undefined =>
  replaced === null ? undefined : replaced === true ? "Replaced" : "Current";

/** A key without its text. */
export const decodeFacts = (row: Row, site: Site): ListedKey => ({
  passwordId: passwordIdOf(decodeText(row[at.keyId], "RecoveryKeyId")),
  computerName: decodeText(row[at.computerName], "Machines.Name"),
  // A volume that _Volumes does not know has no GUID.
  volumeId: row[at.volumeId] === null ? undefined : decodeText(row[at.volumeId], "VolumeId"),
  volumeType: volumeTypeOf(row[at.volumeTypeId], site.volumeTypes),
  lastUpdateTime: decodeTime(row[at.lastUpdateTime], "LastUpdateTime"),
  disclosed: row[at.disclosed] === true,
  state: stateOf(row[at.replaced]),
});

/**
 * A recovery key's text as the site gave it. NULL is an error and never an empty column: it is what DecryptString answers
 * for every row while the master key is closed, and sites have lost their evidence to it.
 */
const decodeRecoveryKey = (raw: unknown, facts: ListedKey, site: Site): Secret => {
  if (raw === null || raw === undefined)
    throw unavailable(
      "Recovery keys can't be decrypted: the site database's master key is not open here, or its certificate can't be used.",
      `RecoveryKey of ${facts.passwordId} came as NULL: on this node the database master key of ${site.session.databaseName} ` +
        "is not open, BitLockerManagement_CERT is missing, or the login has no CONTROL on it. " +
        "Check: SELECT is_master_key_encrypted_by_server FROM sys.databases WHERE database_id = DB_ID()",
    );
  const text = typeof raw === "string" ? canonicalRecoveryPassword(raw.trim()) : undefined;
  if (text === undefined) throw unreadable(`RecoveryKey of ${facts.passwordId} is not a recovery password`);
  return new Secret(text, { keyId: facts.passwordId, computerName: facts.computerName });
};

export const decodeKey = (row: Row, site: Site): RecoveryKey => {
  const facts = decodeFacts(row, site);
  return { ...facts, recoveryKey: decodeRecoveryKey(row[at.recoveryKey], facts, site) };
};
