/**
 * What this site's recovery tables look like, as far as a statement's text depends on it. Only the closed lists below get
 * into statements: a type name from the catalogue is looked up here, never copied.
 */

/** Types a key or volume id may have, and how a text is turned into one so that an index on the column can still be used. */
export const idTypes = {
  uniqueidentifier: "uniqueidentifier",
  char: "varchar(64)",
  varchar: "varchar(64)",
  nchar: "nvarchar(64)",
  nvarchar: "nvarchar(64)",
  int: "int",
  bigint: "bigint",
} as const;
export type IdType = keyof typeof idTypes;

/**
 * A time is compared in the column's own type. Not in datetime2 for all: since SQL Server 2016 a datetime becomes a datetime2
 * with its thirds of a millisecond, so a watermark read from the column would not equal the row it came from.
 */
export const timeTypes = {
  datetime: "datetime",
  datetime2: "datetime2(7)",
  smalldatetime: "smalldatetime",
} as const;
export type TimeType = keyof typeof timeTypes;

/** How the RecoveryKey column is read. */
export const storages = ["encrypted", "mixed", "plainText"] as const;
/**
 * `encrypted`: a binary column, opened by DecryptString. `mixed`: a text column in a site that has DecryptString, so a row
 * may hold either. `plainText`: a text column, and no DecryptString.
 */
export type Storage = (typeof storages)[number];

export interface SiteShape {
  readonly keyIdType: IdType;
  readonly volumeIdType: IdType;
  readonly timeType: TimeType;
  readonly storage: Storage;
  /** DecryptString's second parameter is not documented; every public call passes DEFAULT. Some site may have one less. */
  readonly decryptParameters: 1 | 2;
  /** `_Volumes` has a VolumeGuid: then it is what people know the volume by. Proven for MBAM only. */
  readonly hasVolumeGuid: boolean;
  /** `_VolumeTypes` has a TypeName. Proven for MBAM only. */
  readonly hasTypeName: boolean;
}

/** What public scripts show of a Configuration Manager site: the shape that the statement listing uses. */
export const expectedShape: SiteShape = {
  keyIdType: "varchar",
  volumeIdType: "int",
  timeType: "datetime",
  storage: "encrypted",
  decryptParameters: 2,
  hasVolumeGuid: false,
  hasTypeName: true,
};
