import type { ByteReader, ByteWriter } from "./bytes.ts";
import { fromDatetime, fromDatetime2, toDatetime, toDatetime2 } from "./temporal.ts";

type Size = number | "max";
/** The types a column, a parameter or an output parameter may have, as T-SQL writes them. */
export type SqlType =
  | "tinyint"
  | "smallint"
  | "int"
  | "bigint"
  | "bit"
  | "uniqueidentifier"
  | "datetime"
  | `datetime2(${number})`
  | `char(${number})`
  | `varchar(${Size})`
  | `nchar(${number})`
  | `nvarchar(${Size})`
  | `binary(${number})`
  | `varbinary(${Size})`;

/** Times are exact text when read; a Date may be written. `bigint` columns read as bigint, the other integers as number. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | null;

/** How values of a type go out. */
export interface TypeWriter {
  /** TYPE_INFO, [MS-TDS] 2.2.5.6. */
  readonly typeInfo: Buffer;
  write(out: ByteWriter, value: SqlValue): void;
}

/** A value as a request carried it, with its type as T-SQL writes it. */
export interface TypedValue {
  readonly type: string;
  readonly value: SqlValue;
}

/** Latin1_General_CI_AS, code page 1252: what an English site database has. */
export const collation = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

const nullMax = 0xffff_ffff_ffff_ffffn;
const token = {
  intN: 0x26,
  bitN: 0x68,
  guid: 0x24,
  floatN: 0x6d,
  datetimeN: 0x6f,
  datetime2: 0x2a,
  varbinary: 0xa5,
  varchar: 0xa7,
  binary: 0xad,
  char: 0xaf,
  nvarchar: 0xe7,
  nchar: 0xef,
} as const;

const wrong = (type: string, value: SqlValue): TypeError => new TypeError(`not a ${type}: ${typeof value}`);

const integerWriter = (type: string, byteLength: 1 | 2 | 4 | 8): TypeWriter => ({
  typeInfo: Buffer.from([token.intN, byteLength]),
  write: (out, value) => {
    if (value === null) return void out.u8(0);
    if (typeof value !== "number" && typeof value !== "bigint") throw wrong(type, value);
    out.u8(byteLength);
    if (byteLength === 8) out.i64(BigInt(value));
    else if (byteLength === 4) out.i32(Number(value));
    else if (byteLength === 2) out.i16(Number(value));
    else out.u8(Number(value));
  },
});

const bitWriter: TypeWriter = {
  typeInfo: Buffer.from([token.bitN, 1]),
  write: (out, value) => {
    if (value === null) return void out.u8(0);
    if (typeof value !== "boolean") throw wrong("bit", value);
    out.u8(1).u8(value ? 1 : 0);
  },
};

// The first three groups of a GUID travel little-endian ([MS-DTYP] 2.3.4).
const guidWriter: TypeWriter = {
  typeInfo: Buffer.from([token.guid, 16]),
  write: (out, value) => {
    if (value === null) return void out.u8(0);
    if (typeof value !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
      throw wrong("uniqueidentifier", value);
    const bytes = Buffer.from(value.replaceAll("-", ""), "hex");
    out
      .u8(16)
      .u32(bytes.readUInt32BE(0))
      .u16(bytes.readUInt16BE(4))
      .u16(bytes.readUInt16BE(6))
      .bytes(bytes.subarray(8));
  },
};

const readGuid = (bytes: Buffer): string =>
  Buffer.concat([
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8),
  ])
    .toString("hex")
    .toUpperCase()
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");

const tickBytes = (scale: number): number => (scale < 3 ? 3 : scale < 5 ? 4 : 5);

const datetime2Writer = (scale: number): TypeWriter => ({
  typeInfo: Buffer.from([token.datetime2, scale]),
  write: (out, value) => {
    if (value === null) return void out.u8(0);
    if (typeof value !== "string" && !(value instanceof Date)) throw wrong("datetime2", value);
    const { days, ticks } = toDatetime2(value, scale);
    out
      .u8(tickBytes(scale) + 3)
      .uint(ticks, tickBytes(scale))
      .uint(days, 3);
  },
});

const datetimeWriter: TypeWriter = {
  typeInfo: Buffer.from([token.datetimeN, 8]),
  write: (out, value) => {
    if (value === null) return void out.u8(0);
    if (typeof value !== "string" && !(value instanceof Date)) throw wrong("datetime", value);
    const { days, ticks } = toDatetime(value);
    out.u8(8).i32(days).u32(ticks);
  },
};

const toBytes = (type: string, unicode: boolean | undefined, value: SqlValue): Uint8Array => {
  if (unicode === undefined) {
    if (value instanceof Uint8Array) return value;
    throw wrong(type, value);
  }
  if (typeof value !== "string") throw wrong(type, value);
  if (unicode) return Buffer.from(value, "utf16le");
  // Code page 1252 is Latin-1 but for 0x80 to 0x9F: refused, so that no test passes by a character turned into another.
  if (!/^[\x00-\x7f\xa0-\xff]*$/.test(value)) throw new TypeError(`not in the code page of a ${type}`);
  return Buffer.from(value, "latin1");
};

/** `unicode` undefined means bytes. */
const sizedWriter = (type: string, id: number, unicode: boolean | undefined, size: Size): TypeWriter => {
  const bytesEach = unicode === true ? 2 : 1;
  const head = Buffer.alloc(3);
  head.writeUInt8(id, 0);
  head.writeUInt16LE(size === "max" ? 0xffff : size * bytesEach, 1);
  const padded = id === token.char || id === token.nchar || id === token.binary;
  return {
    typeInfo: unicode === undefined ? head : Buffer.concat([head, collation]),
    write: (out, value) => {
      if (value === null) return void (size === "max" ? out.u64(nullMax) : out.u16(0xffff));
      // The common case, without a buffer in between: a million rows have many texts.
      if (unicode === true && !padded && size !== "max" && typeof value === "string" && value.length <= size)
        return void out.u16(value.length * 2).utf16(value);
      const fits = padded && typeof value === "string" && size !== "max" ? value.padEnd(size) : value;
      const bytes = toBytes(type, unicode, fits);
      if (size === "max") {
        out.u64(BigInt(bytes.length));
        if (bytes.length > 0) out.u32(bytes.length).bytes(bytes);
        out.u32(0);
        return;
      }
      if (bytes.length > size * bytesEach) throw new RangeError(`${bytes.length} bytes do not fit a ${type}`);
      out.u16(bytes.length).bytes(bytes);
    },
  };
};

const fixedWriters: Readonly<Record<string, TypeWriter>> = {
  tinyint: integerWriter("tinyint", 1),
  smallint: integerWriter("smallint", 2),
  int: integerWriter("int", 4),
  bigint: integerWriter("bigint", 8),
  bit: bitWriter,
  uniqueidentifier: guidWriter,
  datetime: datetimeWriter,
};

const sizedTypes: Readonly<Record<string, { readonly id: number; readonly unicode: boolean | undefined }>> = {
  char: { id: token.char, unicode: false },
  varchar: { id: token.varchar, unicode: false },
  nchar: { id: token.nchar, unicode: true },
  nvarchar: { id: token.nvarchar, unicode: true },
  binary: { id: token.binary, unicode: undefined },
  varbinary: { id: token.varbinary, unicode: undefined },
};

export const writerFor = (type: SqlType): TypeWriter => {
  const fixed = fixedWriters[type];
  if (fixed !== undefined) return fixed;
  const match = /^(\w+)\((\d+|max)\)$/.exec(type);
  const [, name = "", size = ""] = match ?? [];
  if (name === "datetime2") return datetime2Writer(Number(size));
  const sized = sizedTypes[name];
  if (sized === undefined) throw new TypeError(`type ${type} is not known here`);
  return sizedWriter(type, sized.id, sized.unicode, size === "max" ? "max" : Number(size));
};

/** PLP: chunks until one of length zero, [MS-TDS] 2.2.5.2.3. */
const readChunks = (input: ByteReader): Buffer | null => {
  if (input.u64() === nullMax) return null;
  const chunks: Buffer[] = [];
  for (let length = input.u32(); length > 0; length = input.u32()) chunks.push(input.take(length));
  return Buffer.concat(chunks);
};

const readShort = (input: ByteReader): Buffer | null => {
  const length = input.u16();
  return length === 0xffff ? null : input.take(length);
};

const readByteLength = (input: ByteReader): Buffer | null => {
  const length = input.u8();
  return length === 0 ? null : input.take(length);
};

const integerNames: Readonly<Record<number, string>> = { 1: "tinyint", 2: "smallint", 4: "int", 8: "bigint" };

const readInteger = (bytes: Buffer): number | bigint => {
  if (bytes.length === 8) return bytes.readBigInt64LE();
  return bytes.length === 1 ? bytes.readUInt8() : bytes.readIntLE(0, bytes.length);
};

const readSized = (input: ByteReader, name: string, unicode: boolean | undefined): TypedValue => {
  const declared = input.u16();
  if (unicode !== undefined) input.take(collation.length);
  const bytes = declared === 0xffff ? readChunks(input) : readShort(input);
  const size = declared === 0xffff ? "max" : unicode === true ? declared / 2 : declared;
  const type = `${name}(${size})`;
  if (bytes === null) return { type, value: null };
  if (unicode === undefined) return { type, value: Buffer.from(bytes) };
  return { type, value: bytes.toString(unicode ? "utf16le" : "latin1") };
};

/** TYPE_INFO and value of a parameter. Throws for the types that no test needs. */
export const readTyped = (input: ByteReader): TypedValue => {
  const id = input.u8();
  for (const [name, sized] of Object.entries(sizedTypes))
    if (sized.id === id) return readSized(input, name, sized.unicode);
  switch (id) {
    case token.intN: {
      const type = integerNames[input.u8()] ?? "int";
      const bytes = readByteLength(input);
      return { type, value: bytes && readInteger(bytes) };
    }
    case token.bitN: {
      input.u8();
      const bytes = readByteLength(input);
      return { type: "bit", value: bytes && bytes.readUInt8() !== 0 };
    }
    case token.guid: {
      input.u8();
      const bytes = readByteLength(input);
      return { type: "uniqueidentifier", value: bytes && readGuid(bytes) };
    }
    case token.floatN: {
      const type = input.u8() === 4 ? "real" : "float";
      const bytes = readByteLength(input);
      return { type, value: bytes && (bytes.length === 8 ? bytes.readDoubleLE() : bytes.readFloatLE()) };
    }
    case token.datetimeN: {
      input.u8();
      const bytes = readByteLength(input);
      const value = bytes && fromDatetime({ days: bytes.readInt32LE(0), ticks: bytes.readUInt32LE(4) });
      return { type: "datetime", value };
    }
    case token.datetime2: {
      const scale = input.u8();
      const bytes = readByteLength(input);
      const count = tickBytes(scale);
      const value =
        bytes && fromDatetime2({ ticks: bytes.readUIntLE(0, count), days: bytes.readUIntLE(count, 3) }, scale);
      return { type: `datetime2(${scale})`, value };
    }
    default:
      throw new Error(`parameter type 0x${id.toString(16)} is not supported`);
  }
};
