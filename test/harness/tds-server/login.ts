import { ByteWriter } from "./bytes.ts";
import { largestPacket, smallestPacket } from "./packets.ts";

/** A LOGIN7 message as it arrived. Passwords of tests only: never point a real client at this server. */
export interface LoginRecord {
  /** Number of the connection, from 1. */
  readonly connection: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly host: string;
  readonly application: string;
  readonly server: string;
  readonly packetSize: number;
  /** As sent: 0x74000004 is 7.4, 0x08000000 is 8.0. */
  readonly tdsVersion: number;
  /** ApplicationIntent=ReadOnly. */
  readonly readOnlyIntent: boolean;
  /** First message of integrated authentication; empty with a password. */
  readonly sspi: Buffer;
  /** `none`, or the protocol version as node:tls names it. */
  readonly tls: string;
  readonly alpn: string;
  /** TLS came before PRELOGIN (TDS 8.0). */
  readonly strict: boolean;
}

export type LoginFields = Omit<LoginRecord, "connection" | "tls" | "alpn" | "strict">;

/** [MS-TDS] 2.2.6.4: each byte has its halves swapped and is then XORed with 0xA5. Scrambling, not encryption. */
const unscramble = (bytes: Buffer): string =>
  Buffer.from(
    bytes.map((byte) => {
      const mixed = byte ^ 0xa5;
      return ((mixed << 4) | (mixed >> 4)) & 0xff;
    }),
  ).toString("utf16le");

/** Reads a LOGIN7 message: a fixed part, then offsets and lengths in characters. */
export const decodeLogin = (body: Buffer): LoginFields => {
  const characters = (at: number): Buffer => {
    const offset = body.readUInt16LE(at);
    const end = offset + body.readUInt16LE(at + 2) * 2;
    if (end > body.length) throw new RangeError("a LOGIN7 field ends behind the message");
    return body.subarray(offset, end);
  };
  const text = (at: number): string => characters(at).toString("utf16le");
  const sspiAt = body.readUInt16LE(78);
  return {
    tdsVersion: body.readUInt32LE(4),
    packetSize: body.readUInt32LE(8),
    readOnlyIntent: (body.readUInt8(26) & 0x20) !== 0,
    host: text(36),
    user: text(40),
    password: unscramble(characters(44)),
    application: text(48),
    server: text(52),
    database: text(68),
    sspi: Buffer.from(body.subarray(sspiAt, sspiAt + body.readUInt16LE(80))),
  };
};

/** The version of the answer: never newer than what the client asked for. */
export const agreedVersion = (asked: number, strict: boolean): number => {
  if (strict && asked === 0x0800_0000) return asked;
  if (asked >= 0x7400_0000 || strict) return 0x7400_0004;
  return asked >= 0x730b_0000 ? 0x730b_0003 : 0x7209_0002;
};

export const agreedPacketSize = (asked: number, largest: number): number =>
  Math.min(Math.max(asked === 0 ? 4096 : asked, smallestPacket), largest, largestPacket);

/** ENCRYPTION in PRELOGIN, [MS-TDS] 2.2.6.5. */
export const encryption = { off: 0, on: 1, notSupported: 2, required: 3 } as const;

const preloginOption = { version: 0, encryption: 1, instance: 2, thread: 3, mars: 4, end: 0xff } as const;

/** What the client says about encryption in its PRELOGIN. */
export const clientEncryption = (body: Buffer): number => {
  for (let at = 0; body.readUInt8(at) !== preloginOption.end; at += 5)
    if (body.readUInt8(at) === preloginOption.encryption) return body.readUInt8(body.readUInt16BE(at + 1));
  return encryption.off;
};

export const preloginAnswer = (encryptionAnswer: number): Buffer => {
  const options: readonly (readonly [number, Buffer])[] = [
    [preloginOption.version, Buffer.from([16, 0, 0x0f, 0xa0, 0, 0])],
    [preloginOption.encryption, Buffer.from([encryptionAnswer])],
    [preloginOption.instance, Buffer.from([0])],
    [preloginOption.thread, Buffer.alloc(0)],
    [preloginOption.mars, Buffer.from([0])],
  ];
  const out = new ByteWriter();
  let offset = options.length * 5 + 1;
  for (const [id, value] of options) {
    out.u8(id).u16be(offset).u16be(value.length);
    offset += value.length;
  }
  out.u8(preloginOption.end);
  for (const [, value] of options) out.bytes(value);
  return out.written;
};
