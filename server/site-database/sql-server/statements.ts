import { mostNamesakes } from "../../command/site-database.ts";
import type { KeySearch } from "../../command/site-database.ts";
import { beginningOfLonger, shortComputerName } from "../../model/computer-name.ts";
import type { SiteShape } from "./site-shape.ts";
import { idTypes, timeTypes } from "./site-shape.ts";
import { bit, int, named, text } from "./statement.ts";
import type { Statement } from "./statement.ts";

/*
 * Every question the product asks about keys and the site. Certificate statements: certificate-statements.ts.
 * Names, joins and columns are those that public scripts use against real sites; what no source shows is asked of the
 * catalogue first (introspection) and reaches a statement through SiteShape only.
 */

export const tables = {
  keys: "RecoveryAndHardwareCore_Keys",
  machines: "RecoveryAndHardwareCore_Machines",
  links: "RecoveryAndHardwareCore_Machines_Volumes",
  volumes: "RecoveryAndHardwareCore_Volumes",
  volumeTypes: "RecoveryAndHardwareCore_VolumeTypes",
} as const;

/** 48 digits in eight groups: tells a plain-text key from ciphertext in a text column. */
const digits = "[0-9]".repeat(6);
const plainTextPattern = `'${Array.from({ length: 8 }, () => digits).join("-")}'`;

/** The recovery key's text, or NULL when DecryptString can't open it. */
export const recoveryKeyText = ({ storage, decryptParameters }: SiteShape): string => {
  const decrypted = `RecoveryAndHardwareCore.DecryptString(Keys.RecoveryKey${decryptParameters === 2 ? ", DEFAULT" : ""})`;
  switch (storage) {
    case "encrypted":
      return decrypted;
    case "plainText":
      return "Keys.RecoveryKey";
    case "mixed":
      // What DecryptString makes of plain text is not documented, so it is not asked.
      return `CASE WHEN Keys.RecoveryKey LIKE ${plainTextPattern} THEN Keys.RecoveryKey ELSE ${decrypted} END`;
  }
};

/** The same, but NULL for a key that is stored as text. */
export const openedKeyText = (shape: SiteShape): string => {
  if (shape.storage === "plainText") return "NULL";
  const text = recoveryKeyText(shape);
  return shape.storage === "encrypted"
    ? text
    : `CASE WHEN Keys.RecoveryKey LIKE ${plainTextPattern} THEN NULL ELSE ${text} END`;
};

const isText = (shape: SiteShape): boolean => !["uniqueidentifier", "int", "bigint"].includes(shape.keyIdType);

/** The narrowing part of a query, for one computer name and one id at most; several are asked for one after the other. */
export interface KeyFilter {
  readonly computerName: string | undefined;
  /** Whole id or prefix, upper-case hexadecimal digits and hyphens: can't hold a wildcard. */
  readonly passwordId: string | undefined;
  /** `2026-11-22T09:30:00.000` */
  readonly since: string | undefined;
  /** VolumeTypeIds as `,1,2,`; `none` stands for a volume without a type. */
  readonly volumeTypeIds: string | undefined;
  readonly latest: boolean;
  /** Whether each key's newer ones are looked for. */
  readonly withState: boolean;
}

const filterParameters = (filter: KeyFilter): Statement["parameters"] => ({
  computerName: text(filter.computerName ?? null),
  passwordId: text(filter.passwordId === undefined ? null : `${filter.passwordId}%`),
  since: text(filter.since ?? null),
  volumeTypeIds: text(filter.volumeTypeIds ?? null),
  latest: bit(filter.latest),
});

const from = `FROM dbo.${tables.keys} Keys
  JOIN dbo.${tables.links} Links ON Links.VolumeId = Keys.VolumeId
  JOIN dbo.${tables.machines} Machines ON Machines.Id = Links.MachineId
  LEFT JOIN dbo.${tables.volumes} Volumes ON Volumes.Id = Keys.VolumeId`;

/** A property of the key, not of the answer: an old key asked for by its id is not its volume's newest. Of one time, each is. */
const hasNewer = `EXISTS (SELECT 1 FROM dbo.${tables.keys} Newer WHERE Newer.VolumeId = Keys.VolumeId
    AND Newer.LastUpdateTime > Keys.LastUpdateTime)`;

const where = (shape: SiteShape): string => `WHERE (@computerName IS NULL OR Machines.Name = @computerName)
  AND (@passwordId IS NULL OR ${
    isText(shape)
      ? `Keys.RecoveryKeyId LIKE CONVERT(${idTypes[shape.keyIdType]}, @passwordId)`
      : "CONVERT(varchar(64), Keys.RecoveryKeyId) LIKE CONVERT(varchar(64), @passwordId)"
  })
  AND (@since IS NULL OR Keys.LastUpdateTime >= CONVERT(${timeTypes[shape.timeType]}, @since, 126))
  AND (@volumeTypeIds IS NULL
    OR CHARINDEX(',' + ISNULL(CONVERT(varchar(12), Volumes.VolumeTypeId), 'none') + ',', @volumeTypeIds) > 0)
  AND (@latest = 0 OR NOT ${hasNewer})`;

// Without RECOMPILE one plan would have to do for every mixture of filters, and "any key" would decide how one id is found.
const options = "OPTION (RECOMPILE)";

/** Columns of a page's rows, in order. */
const keyColumns = [
  "RecoveryKeyId",
  "ComputerName",
  "VolumeId",
  "VolumeTypeId",
  "LastUpdateTime",
  "Disclosed",
  "Replaced",
  "RecoveryKey",
] as const;

/** The site's own number of a volume is no id that anybody knows. */
const volumeIdText = ({ hasVolumeGuid, volumeIdType }: SiteShape): string => {
  if (hasVolumeGuid) return "CONVERT(nvarchar(64), Volumes.VolumeGuid)";
  return volumeIdType === "uniqueidentifier" ? "CONVERT(nvarchar(64), Keys.VolumeId)" : "CONVERT(nvarchar(64), NULL)";
};

const select = (shape: SiteShape, withKeys = true): string => `SELECT TOP (@pageRows) WITH TIES
  CONVERT(nvarchar(64), Keys.RecoveryKeyId) AS RecoveryKeyId, Machines.Name AS ComputerName,
  ${volumeIdText(shape)} AS VolumeId,
  CONVERT(int, Volumes.VolumeTypeId) AS VolumeTypeId, CONVERT(nvarchar(33), Keys.LastUpdateTime, 126) AS LastUpdateTime,
  CONVERT(bit, ISNULL(Keys.Disclosed, 0)) AS Disclosed,
  CONVERT(bit, CASE WHEN @withState = 0 THEN NULL WHEN ${hasNewer} THEN 1 ELSE 0 END) AS Replaced,
  ${withKeys ? recoveryKeyText(shape) : "CONVERT(nvarchar(55), NULL)"} AS RecoveryKey`;

/**
 * Where a page ended: the next one starts behind it (keyset, not OFFSET, which reads everything again).
 * Texts as the server sent them: a Date would lose what a datetime2 has below the millisecond, and the row come again.
 */
export interface KeyPosition {
  readonly keyId: string;
  readonly lastUpdateTime: string;
}

export interface KeyPage {
  readonly filter: KeyFilter;
  readonly after: KeyPosition | undefined;
  readonly pageRows: number;
}

/** Keys in the order of their ids, which have a unique index. WITH TIES, so that a page never ends between equals. */
const keysById = (shape: SiteShape, { filter, after, pageRows }: KeyPage): Statement =>
  named({
    name: "read-keys-by-id",
    kind: "query",
    text: `${select(shape)}
${from}
${where(shape)}
  AND (@afterKeyId IS NULL OR Keys.RecoveryKeyId > CONVERT(${idTypes[shape.keyIdType]}, @afterKeyId))
ORDER BY Keys.RecoveryKeyId ${options}`,
    parameters: {
      pageRows: int(pageRows),
      ...filterParameters(filter),
      withState: bit(filter.withState),
      afterKeyId: text(after?.keyId ?? null),
    },
    columns: keyColumns,
  });

/** One computer's keys, newest first: the order a person looks for them. */
const keysOfComputer = (shape: SiteShape, { filter, after, pageRows }: KeyPage): Statement => {
  const time = `CONVERT(${timeTypes[shape.timeType]}, @afterTime, 126)`;
  return named({
    name: "read-keys-of-computer",
    kind: "query",
    text: `${select(shape)}
${from}
${where(shape)}
  AND (@afterKeyId IS NULL OR Keys.LastUpdateTime < ${time}
    OR (Keys.LastUpdateTime = ${time} AND Keys.RecoveryKeyId > CONVERT(${idTypes[shape.keyIdType]}, @afterKeyId)))
ORDER BY Keys.LastUpdateTime DESC, Keys.RecoveryKeyId ${options}`,
    parameters: {
      pageRows: int(pageRows),
      ...filterParameters(filter),
      withState: bit(filter.withState),
      afterTime: text(after?.lastUpdateTime ?? null),
      afterKeyId: text(after?.keyId ?? null),
    },
    columns: keyColumns,
  });
};

/** One page of keys: a named computer's in its own order, else by id. */
export const pageOfKeys = (shape: SiteShape, page: KeyPage): Statement =>
  page.filter.computerName !== undefined && page.filter.passwordId === undefined
    ? keysOfComputer(shape, page)
    : keysById(shape, page);

/** A text as LIKE takes it for itself: `_` stands in many names. Backslash escapes, as no computer's name has one. */
const literally = (part: string): string => part.replace(/[\\%_[\]^]/g, String.raw`\$&`);

/** Keys by a part of their computer's name or of their id, in the order of ids. Every row is looked at: a part has no place in an index. */
export const searchKeys = (
  shape: SiteShape,
  { name, keyId }: KeySearch,
  { after, pageRows }: Pick<KeyPage, "after" | "pageRows">,
): Statement =>
  named({
    name: "search-keys",
    kind: "query",
    text: `${select(shape, false)}
${from}
WHERE (Machines.Name LIKE @namePiece ESCAPE '\\'
    OR CONVERT(nvarchar(64), Keys.RecoveryKeyId) LIKE @idPiece)
  AND (@afterKeyId IS NULL OR Keys.RecoveryKeyId > CONVERT(${idTypes[shape.keyIdType]}, @afterKeyId))
ORDER BY Keys.RecoveryKeyId ${options}`,
    parameters: {
      pageRows: int(pageRows),
      withState: bit(true),
      namePiece: text(name === undefined ? null : `%${literally(name)}%`),
      idPiece: text(keyId === undefined ? null : `%${keyId}%`),
      afterKeyId: text(after?.keyId ?? null),
    },
    columns: keyColumns,
  });

/** The computers that a name may mean: the very name, its first label alone, or more behind its dot. */
export const findComputers = (name: string): Statement => {
  const short = shortComputerName(name);
  const beginning = beginningOfLonger(name);
  return named({
    name: "find-computers",
    kind: "query",
    text: `SELECT TOP (@most) Machines.Name AS ComputerName,
  CONVERT(bit, MAX(CASE WHEN Machines.Name = @computerName THEN 1 ELSE 0 END)) AS IsSame
FROM dbo.${tables.machines} Machines
WHERE Machines.Name = @computerName OR Machines.Name = @shortName OR Machines.Name LIKE @longerNames ESCAPE '\\'
GROUP BY Machines.Name ORDER BY IsSame DESC, Machines.Name ${options}`,
    parameters: {
      most: int(mostNamesakes),
      computerName: text(name),
      shortName: text(short ?? null),
      longerNames: text(beginning === undefined ? null : `${literally(beginning)}%`),
    },
    columns: ["ComputerName", "IsSame"],
  });
};

export const countKeys = (shape: SiteShape, filter: KeyFilter): Statement =>
  named({
    name: "count-keys",
    kind: "query",
    text: `SELECT COUNT_BIG(*) AS KeyCount ${from}
${where(shape)} ${options}`,
    parameters: filterParameters(filter),
    columns: ["KeyCount"],
  });

/** Gives one key and marks it as disclosed, so that its client makes a new one at its next check-in. Writes: primary only. */
export const getRecoveryKey = (keyId: string, reason: string): Statement => ({
  name: "get-recovery-key",
  kind: "procedure",
  text: "RecoveryAndHardwareRead.GetRecoveryKey",
  parameters: { RecoveryKeyId: text(keyId), Reason: text(reason) },
});

export const checkHealth = (): Statement =>
  named({ name: "check-health", kind: "query", text: "SELECT 1 AS Alive", parameters: {}, columns: ["Alive"] });
