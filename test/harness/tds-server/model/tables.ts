import { fromDatetime, toDatetime } from "../temporal.ts";

/* The recovery tables as arrays. A MODEL: names and joins are proven by public scripts, types and indexes are ours. */

export type VolumeKey = number | string;

export interface ModelKey {
  readonly keyId: string;
  readonly volumeId: VolumeKey;
  readonly recoveryKey: string;
  /** `2026-11-22T09:30:00.1234567`, as exact as the site's type. */
  readonly lastUpdateTime: string;
  /** Thumbprint of the certificate it is encrypted by; absent for plain text. */
  readonly encryptedBy: string | undefined;
  readonly recoveryPackage?: Uint8Array | undefined;
}

export interface ModelVolume {
  readonly guid: string;
  readonly typeId: number;
}

/** What the statements ask of the tables. */
export interface SiteTables {
  readonly keyCount: number;
  /** In the order of RecoveryKeyId, as the site's type sorts it. */
  keyAt(index: number): ModelKey;
  /** Index of the first key behind this id. */
  firstAfter(keyId: string): number;
  findKey(keyId: string): ModelKey | undefined;
  volume(id: VolumeKey): ModelVolume | undefined;
  /** Names of the machines linked to a volume; the same name twice when two machines bear it. */
  computersOf(volumeId: VolumeKey): readonly string[];
  isNewest(key: ModelKey): boolean;
}

export type IdType = "varchar" | "nvarchar" | "char" | "uniqueidentifier";
export type TimeType = "datetime" | "datetime2";

/** SQL Server's order of uniqueidentifier begins with the last six bytes; texts compare without case. */
const sortKey = (keyId: string, type: IdType): string => {
  if (type !== "uniqueidentifier") return keyId.toUpperCase().trimEnd();
  const [first = "", second = "", third = "", fourth = "", last = ""] = keyId.toUpperCase().split("-");
  const reversed = (hex: string): string => Buffer.from(hex, "hex").toReversed().toString();
  return [last, fourth, reversed(third), reversed(second), reversed(first)].join("-");
};

/** As a column of the type keeps it: datetime rounds to 1/300 s. */
export const storedTime = (text: string, type: TimeType): string => {
  const plain = text.replace(/Z$/, "");
  return type === "datetime"
    ? fromDatetime(toDatetime(plain))
    : plain.includes(".")
      ? plain.padEnd(27, "0")
      : `${plain}.0000000`;
};

/** CONVERT(nvarchar(33), …, 126): the fraction is left out where it is zero. */
export const styled126 = (time: string): string => time.replace(/\.0+$/, "");

/** What a test puts into a site. */
export interface ModelRecord {
  readonly computerName: string;
  readonly keyId: string;
  readonly recoveryKey: string;
  /** A volume of its own unless given. */
  readonly volumeGuid?: string;
  /** 1 (operating system) unless given; null leaves the volume out of _Volumes. */
  readonly volumeTypeId?: number | null;
  readonly lastUpdateTime?: string;
  readonly encryptedBy?: string | undefined;
  readonly recoveryPackage?: Uint8Array | undefined;
}

export interface StoredShape {
  readonly keyIdType: IdType;
  readonly volumeIdType: "int" | "uniqueidentifier";
  readonly timeType: TimeType;
}

/** Tables that a test fills row by row. */
export class StoredTables implements SiteTables {
  readonly #shape: StoredShape;
  readonly #volumeIds = new Map<string, VolumeKey>();
  readonly #volumes = new Map<VolumeKey, ModelVolume>();
  readonly #computers = new Map<VolumeKey, string[]>();
  readonly #newest = new Map<VolumeKey, string>();
  readonly #byKeyId = new Map<string, ModelKey>();
  #sorted: { readonly keys: readonly ModelKey[]; readonly sortKeys: readonly string[] } | undefined;

  constructor(shape: StoredShape) {
    this.#shape = shape;
  }

  /** A key that is there already gets another machine on its volume; RecoveryKeyId is unique. */
  add(record: ModelRecord): void {
    const known = this.findKey(record.keyId);
    const guid = record.volumeGuid ?? record.keyId;
    const volumeId =
      known?.volumeId ?? this.#volumeIdOf(guid, record.volumeTypeId === undefined ? 1 : record.volumeTypeId);
    const computers = this.#computers.get(volumeId) ?? [];
    if (!computers.includes(record.computerName)) computers.push(record.computerName);
    this.#computers.set(volumeId, computers);
    if (known !== undefined) return;
    const key: ModelKey = {
      keyId: record.keyId,
      volumeId,
      recoveryKey: record.recoveryKey,
      lastUpdateTime: storedTime(record.lastUpdateTime ?? "2026-01-01T00:00:00.000", this.#shape.timeType),
      encryptedBy: record.encryptedBy,
      recoveryPackage: record.recoveryPackage,
    };
    this.#byKeyId.set(sortKey(key.keyId, this.#shape.keyIdType), key);
    const newest = this.#newest.get(volumeId);
    if (newest === undefined || key.lastUpdateTime > newest) this.#newest.set(volumeId, key.lastUpdateTime);
    this.#sorted = undefined;
  }

  #volumeIdOf(guid: string, typeId: number | null): VolumeKey {
    const known = this.#volumeIds.get(guid);
    if (known !== undefined) return known;
    const id = this.#shape.volumeIdType === "int" ? this.#volumeIds.size + 1 : guid;
    this.#volumeIds.set(guid, id);
    if (typeId !== null) this.#volumes.set(id, { guid, typeId });
    return id;
  }

  #sortKey(keyId: string): string {
    return sortKey(keyId, this.#shape.keyIdType);
  }

  #inOrder(): { readonly keys: readonly ModelKey[]; readonly sortKeys: readonly string[] } {
    const entries = [...this.#byKeyId].sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    return (this.#sorted ??= { keys: entries.map(([, key]) => key), sortKeys: entries.map(([text]) => text) });
  }

  get keyCount(): number {
    return this.#byKeyId.size;
  }

  keyAt(index: number): ModelKey {
    const key = (this.#sorted ?? this.#inOrder()).keys[index];
    if (key === undefined) throw new RangeError(`no key ${index}`);
    return key;
  }

  firstAfter(keyId: string): number {
    const { sortKeys } = this.#sorted ?? this.#inOrder();
    const wanted = this.#sortKey(keyId);
    const index = sortKeys.findIndex((text) => text > wanted);
    return index === -1 ? sortKeys.length : index;
  }

  findKey(keyId: string): ModelKey | undefined {
    return this.#byKeyId.get(this.#sortKey(keyId));
  }

  volume(id: VolumeKey): ModelVolume | undefined {
    return this.#volumes.get(id);
  }

  computersOf(volumeId: VolumeKey): readonly string[] {
    return this.#computers.get(volumeId) ?? [];
  }

  isNewest(key: ModelKey): boolean {
    return this.#newest.get(key.volumeId) === key.lastUpdateTime;
  }
}

/** The id of a numbered key; ids sort as their numbers do. */
export const numberedKeyId = (number: number): string =>
  `${number.toString(16).toUpperCase().padStart(8, "0")}-0000-4000-8000-000000000000`;

/** Any number of keys, one a computer, made when asked for: a million takes no memory. Key ids as varchar. */
export const numberedTables = (keyCount: number, recoveryKey: string, encryptedBy: string | undefined): SiteTables => {
  const keyAt = (index: number): ModelKey => ({
    keyId: numberedKeyId(index),
    volumeId: index + 1,
    recoveryKey,
    lastUpdateTime: "2026-11-22T09:30:00.123",
    encryptedBy,
  });
  const indexOf = (keyId: string): number => Number.parseInt(keyId.slice(0, 8), 16);
  return {
    keyCount,
    keyAt,
    firstAfter: (keyId) => Math.min(keyCount, indexOf(keyId) + 1),
    findKey: (keyId) => {
      const index = indexOf(keyId);
      return index < keyCount && numberedKeyId(index) === keyId.toUpperCase() ? keyAt(index) : undefined;
    },
    volume: (id) => ({ guid: numberedKeyId(Number(id)), typeId: 1 }),
    computersOf: (volumeId) => [`PC-${Number(volumeId) - 1}`],
    isNewest: () => true,
  };
};
