import type { ByteWriter } from "./bytes.ts";
import { collation, writerFor } from "./types.ts";
import type { SqlType, SqlValue, TypeWriter } from "./types.ts";

/** The tokens of a reply, [MS-TDS] 2.2.7. */
export const tokenType = {
  returnStatus: 0x79,
  columnMetadata: 0x81,
  error: 0xaa,
  information: 0xab,
  returnValue: 0xac,
  loginAcknowledgement: 0xad,
  row: 0xd1,
  nullBitmapRow: 0xd2,
  environmentChange: 0xe3,
  done: 0xfd,
  doneProcedure: 0xfe,
  doneInProcedure: 0xff,
} as const;

export const doneStatus = { more: 0x01, error: 0x02, count: 0x10, attention: 0x20 } as const;

export interface Column {
  readonly name: string;
  readonly type: SqlType;
}

/** A column with its encoder, so that a million rows parse its type once. */
export interface PreparedColumn extends Column {
  readonly writer: TypeWriter;
}

export const prepareColumns = (columns: readonly Column[]): readonly PreparedColumn[] =>
  columns.map((column) => ({ ...column, writer: writerFor(column.type) }));

/** What SQL Server says besides rows: an error or an information. */
export interface ServerMessage {
  readonly number: number;
  readonly message: string;
  readonly state?: number;
  /** Severity; above 10 it is an error. 16 unless given. */
  readonly class?: number;
  readonly procedure?: string;
  readonly line?: number;
}

const serverName = "TEST-SQL";

/** Nullable, and whether it can be updated is unknown. */
const columnFlags = 0x0009;

/** A token whose body is preceded by its length: written twice, as the length comes first. */
const withLength = (out: ByteWriter, id: number, body: (out: ByteWriter) => void): void => {
  const before = out.written.length;
  out.u8(id).u16(0);
  body(out);
  const all = out.written;
  all.writeUInt16LE(all.length - before - 3, before + 1);
};

export const writeMessage = (out: ByteWriter, message: ServerMessage, id: number = tokenType.error): void =>
  withLength(out, id, () => {
    out.u32(message.number);
    out.u8(message.state ?? 1).u8(message.class ?? (id === tokenType.error ? 16 : 0));
    out.longText(message.message).shortText(serverName);
    out.shortText(message.procedure ?? "").u32(message.line ?? 1);
  });

export const writeDone = (out: ByteWriter, id: number, status: number, rowCount: number): void => {
  // 0xc1 is SELECT: what the current command was, which no client of ours reads.
  out.u8(id).u16(status).u16(0xc1).u64(BigInt(rowCount));
};

export const writeReturnStatus = (out: ByteWriter, status: number): void =>
  void out.u8(tokenType.returnStatus).i32(status);

export interface OutputParameter {
  readonly name: string;
  readonly type: SqlType;
  readonly value: SqlValue;
}

const outputOfProcedure = 0x01;

export const writeReturnValue = (out: ByteWriter, ordinal: number, { name, type, value }: OutputParameter): void => {
  const writer = writerFor(type);
  out.u8(tokenType.returnValue).u16(ordinal).shortText(name).u8(outputOfProcedure).u32(0).u16(columnFlags);
  out.bytes(writer.typeInfo);
  writer.write(out, value);
};

export const writeColumns = (out: ByteWriter, columns: readonly PreparedColumn[]): void => {
  out.u8(tokenType.columnMetadata).u16(columns.length);
  for (const { name, writer } of columns) out.u32(0).u16(columnFlags).bytes(writer.typeInfo).shortText(name);
};

/** NBCROW leaves NULLs out and names them in a bitmap; real servers choose it where it is shorter. */
export const writeRow = (
  out: ByteWriter,
  columns: readonly PreparedColumn[],
  values: readonly SqlValue[],
  nullBitmap: boolean,
): void => {
  if (values.length !== columns.length) throw new RangeError(`${values.length} values for ${columns.length} columns`);
  const compressed = nullBitmap && values.includes(null);
  if (compressed) {
    out.u8(tokenType.nullBitmapRow);
    for (let first = 0; first < values.length; first += 8)
      out.u8(
        values.slice(first, first + 8).reduce<number>((bits, value, i) => bits | (value === null ? 1 << i : 0), 0),
      );
  } else {
    out.u8(tokenType.row);
  }
  columns.forEach(({ name, writer }, i) => {
    const value = values[i] ?? null;
    if (compressed && value === null) return;
    try {
      writer.write(out, value);
    } catch (error) {
      throw new TypeError(`column ${name} can't hold its value`, { cause: error });
    }
  });
};

const change = { database: 1, packetSize: 4, collation: 7 } as const;

/** ENVCHANGE and LOGINACK: the login is accepted. */
export const writeLoginAnswer = (
  out: ByteWriter,
  answer: {
    readonly database: string;
    readonly tdsVersion: number;
    readonly packetSize: number;
    readonly from: number;
  },
): void => {
  withLength(out, tokenType.environmentChange, () => {
    out.u8(change.database).shortText(answer.database).shortText("master");
  });
  withLength(out, tokenType.environmentChange, () => {
    out.u8(change.collation).u8(collation.length).bytes(collation).u8(0);
  });
  withLength(out, tokenType.loginAcknowledgement, () => {
    // Interface 1 is T-SQL; the version is big-endian here alone. The product's version reads 16.0.4000.
    out
      .u8(1)
      .u32be(answer.tdsVersion)
      .shortText("Microsoft SQL Server")
      .bytes(Buffer.from([16, 0, 0x0f, 0xa0]));
  });
  withLength(out, tokenType.environmentChange, () => {
    out.u8(change.packetSize).shortText(String(answer.packetSize)).shortText(String(answer.from));
  });
};
