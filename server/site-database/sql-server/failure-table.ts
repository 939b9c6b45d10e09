import type { FailureCategory } from "../../errors.ts";

export interface SqlFailure {
  readonly category: FailureCategory;
  /** What the connected user reads; without one, that the site database is not available. */
  readonly message?: string;
  /** The meaning of the number, for readers of this table. */
  readonly about: string;
}

const busy = "The site database is busy. Run the command again.";
const settings = "The endpoint may not do this in the site database; the log says what is missing.";
const shape = "The site database is not as this endpoint knows it; the log says what is missing.";
const policy = "The site database's server refused the password: it breaks the server's password policy.";
const wrongPassword = "The password does not open the private key.";
const noFile = "The certificate's file or its key's file is missing, or is not a valid one.";
const badKey = "The certificate and its private key can't be used by the site database's server.";
const noMasterKey = "The site database's master key is not open; the log says more.";

const rows = (
  category: FailureCategory,
  message: string | undefined,
  entries: Readonly<Record<number, string>>,
): readonly (readonly [number, SqlFailure])[] =>
  Object.entries(entries).map(([number, about]) => [
    Number(number),
    message === undefined ? { category, about } : { category, message, about },
  ]);

/**
 * SQL Server's error numbers and what becomes of them: the only place that knows them. Decided by number, never by text,
 * which comes in the server's language. Numbers: https://learn.microsoft.com/sql/relational-databases/errors-events/
 */
export const failureTable: ReadonlyMap<number, SqlFailure> = new Map([
  ...rows("ResourceUnavailable", undefined, {
    18456: "login failed",
    18452: "login from an untrusted domain",
    18470: "login is disabled",
    18486: "login is locked out",
    18487: "login's password has expired",
    18488: "login's password must be changed",
    4060: "the login can't open the database",
    4064: "the login's default database can't be opened",
    40613: "database not available (Azure SQL)",
    40197: "error while processing, try again (Azure SQL)",
    40501: "service is busy (Azure SQL)",
    49918: "not enough resources (Azure SQL)",
    10928: "resource limit reached (Azure SQL)",
    10929: "resource limit reached, guaranteed minimum (Azure SQL)",
    976: "availability group: this replica takes no connections",
    978: "availability group: this replica takes read-intent connections only",
    979: "availability group: this replica takes connections only as the primary",
    983: "availability group: this replica is neither primary nor secondary",
    924: "database is in single-user mode",
    927: "database is in the middle of a restore",
    942: "database is offline",
    945: "database can't be opened: files or memory missing",
    596: "session was killed",
    6005: "server is shutting down",
    17142: "server is paused",
    17187: "server is not ready for connections",
    9001: "the database's log is not available",
    823: "disk error",
    824: "page is damaged",
  }),
  ...rows("ResourceUnavailable", busy, {
    1205: "chosen as the victim of a deadlock",
    1222: "lock request timed out",
    701: "not enough memory for this query",
    8645: "waited too long for memory",
    1105: "file group is full",
    9002: "transaction log is full",
    3960: "snapshot update conflict",
  }),
  ...rows("ResourceUnavailable", settings, {
    229: "permission denied on an object",
    230: "permission denied on a column",
    262: "permission denied in the database",
    297: "no permission for this action",
    300: "permission denied on the server",
    916: "the login can't access the database in this context",
    4834: "no permission for bulk load (reading a backup file back)",
    15247: "no permission for this action",
    15345: "an entity of this kind can't be owned by a role, a group, …",
    15353: "an entity of this kind can't be owned by a role, a group, …",
  }),
  ...rows("ResourceUnavailable", shape, {
    207: "invalid column name",
    208: "invalid object name",
    2812: "procedure not found",
    4121: "function not found",
    201: "procedure expects a parameter that was not given",
    8144: "too many arguments for a procedure",
    8145: "not a parameter of the procedure",
    313: "too few arguments for a function",
    8146: "procedure has no parameters",
    206: "operand types clash",
    15151: "the certificate or a principal does not exist, or the login may not use it",
  }),
  ...rows("ResourceUnavailable", "The site database is read-only here: writing needs the primary.", {
    3906: "database is read-only",
    15635: "statement not possible in a read-only database",
  }),
  ...rows("InvalidArgument", policy, {
    15116: "password too short",
    15117: "password too long",
    15118: "password not complex enough",
    15119: "password refused by a filter",
  }),
  ...rows("InvalidArgument", wrongPassword, {
    15465: "private key password is invalid",
    15556: "no private key, or the password is wrong",
    15466: "error while decrypting",
  }),
  ...rows("ResourceUnavailable", "The certificate's private key is protected by a password, not by the master key.", {
    15146: "an encryption password must be given",
    15334: "key is protected by a user's password",
    15313: "key is not encrypted by the given decryptor",
  }),
  ...rows("InvalidResult", undefined, {
    15147: "no decryption password may be given: the key is protected by a master key",
  }),
  ...rows("ResourceExists", "A certificate of this name, or this certificate under another name, is already there.", {
    15232: "certificate exists already",
  }),
  ...rows("ResourceExists", "The site database has a master key already.", { 15578: "master key exists already" }),
  ...rows("ObjectNotFound", noFile, {
    15208: "file of the certificate or key is missing or invalid",
    15317: "file of the master key is missing or invalid",
    4860: "file for bulk load does not exist",
    4861: "file for bulk load can't be opened",
  }),
  ...rows(
    "ResourceUnavailable",
    "The site database's server could not write the files: one is already there, or it may not write to its backup directory.",
    { 15240: "can't write a file: permission, path, or it exists" },
  ),
  ...rows("ResourceUnavailable", "The certificate has no private key that could be backed up.", {
    15246: "private key not found",
  }),
  ...rows("InvalidArgument", badKey, {
    15297: "data of the certificate or key is invalid",
    15464: "format or length of the private key is not supported",
    15474: "private key does not belong to the certificate",
    15507: "key is damaged",
    15212: "subject is invalid",
  }),
  ...rows("ResourceUnavailable", noMasterKey, {
    15581: "there is no master key, or it must be opened first",
    15329: "master key can't be decrypted",
    15448: "service master key can't be used",
    15451: "service master key problem",
    15455: "machine key problem",
  }),
  ...rows("ResourceExists", "Something is still encrypted by it, so it can't be dropped.", {
    15352: "entities are signed or encrypted by it",
    15580: "something is encrypted by it",
  }),
  ...rows("InvalidResult", undefined, {
    102: "syntax error",
    105: "unclosed quotation mark",
    156: "syntax error near a keyword",
    245: "conversion failed",
    8114: "data type conversion failed",
    241: "conversion to a date failed",
    242: "date out of range",
    8152: "text would be truncated",
    2628: "text would be truncated",
    266: "transaction count differs",
  }),
]);
