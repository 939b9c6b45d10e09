import { WireReader } from "./wire.ts";

/* OpenSSH's binary key revocation list: PROTOCOL.krl and krl.c. Whatever is not known here makes the file unreadable. */

/** Which certificates of one authority, or of any, are revoked. */
export interface RevokedOfAuthority {
  /** `undefined`: of every authority. */
  readonly authority: Buffer | undefined;
  readonly keyIds: ReadonlySet<string>;
  readonly hasSerial: (serial: bigint) => boolean;
}

export interface KeyRevocationList {
  /** Keys in base64 of their wire form, then fingerprints in hexadecimal. */
  readonly keys: ReadonlySet<string>;
  readonly sha1: ReadonlySet<string>;
  readonly sha256: ReadonlySet<string>;
  readonly certificates: readonly RevokedOfAuthority[];
}

const section = { certificates: 1, explicitKey: 2, sha1: 3, sha256: 5, extension: 255 } as const;
const inCertificates = { serials: 0x20, range: 0x21, bitmap: 0x22, keyIds: 0x23, extension: 0x39 } as const;
const largestSerial = 0xffff_ffff_ffff_ffffn;

const refuseCriticalExtension = (reader: WireReader): void => {
  const name = reader.ascii();
  const critical = reader.byte() !== 0;
  reader.bytes();
  reader.end();
  if (critical) throw new Error(`it has the critical extension "${name}", which is not known here`);
};

type SerialTest = (serial: bigint) => boolean;

/** krl.c refuses what it can't mean: serial 0 is "none", and a range runs upwards. */
const readRange = (reader: WireReader): SerialTest => {
  const low = reader.uint64();
  const high = reader.uint64();
  reader.end();
  if (low === 0n || low > high) throw new Error("it has a range of serials that can't be");
  return (serial) => serial >= low && serial <= high;
};

const readBitmap = (reader: WireReader): SerialTest => {
  const offset = reader.uint64();
  const raw = reader.bytes();
  reader.end();
  const bits = raw[0] === 0 ? raw.subarray(1) : raw;
  if ((raw[0] ?? 0) >= 0x80) throw new Error("it has a negative bitmap of serials");
  const isSet = (at: bigint): boolean => {
    if (at < 0n || at >= BigInt(bits.length) * 8n) return false;
    const index = Number(at);
    return (((bits[bits.length - 1 - (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1;
  };
  const first = bits[0] ?? 0;
  const highest = BigInt(bits.length) * 8n - 1n - BigInt(first === 0 ? 0 : Math.clz32(first) - 24);
  if (bits.length > 0 && offset + highest > largestSerial) throw new Error("it has a bitmap beyond the last serial");
  if (offset === 0n && isSet(0n)) throw new Error("it revokes serial 0, which is none");
  return (serial) => isSet(serial - offset);
};

const readSerials = (reader: WireReader): SerialTest => {
  const serials = new Set<bigint>();
  while (!reader.atEnd) serials.add(reader.uint64());
  if (serials.has(0n)) throw new Error("it revokes serial 0, which is none");
  return (serial) => serials.has(serial);
};

const readCertificates = (reader: WireReader): RevokedOfAuthority => {
  const authority = reader.bytes();
  reader.bytes(); // reserved
  const keyIds = new Set<string>();
  const tests: SerialTest[] = [];
  while (!reader.atEnd) {
    const type = reader.byte();
    const body = new WireReader(reader.bytes());
    if (type === inCertificates.serials) tests.push(readSerials(body));
    else if (type === inCertificates.range) tests.push(readRange(body));
    else if (type === inCertificates.bitmap) tests.push(readBitmap(body));
    else if (type === inCertificates.keyIds) while (!body.atEnd) keyIds.add(body.utf8());
    else if (type === inCertificates.extension) refuseCriticalExtension(body);
    else throw new Error(`it has a certificate section of type ${type}, which is not known here`);
  }
  return {
    authority: authority.length === 0 ? undefined : authority,
    keyIds,
    hasSerial: (serial) => tests.some((test) => test(serial)),
  };
};

const readDigests = (reader: WireReader, length: number, into: Set<string>): void => {
  while (!reader.atEnd) {
    const digest = reader.bytes();
    if (digest.length !== length) throw new Error("it has a fingerprint of the wrong length");
    into.add(digest.toString("hex"));
  }
};

/** @throws Error when any of it is not understood */
export const readKrl = (bytes: Buffer): KeyRevocationList => {
  const reader = new WireReader(bytes);
  reader.uint64(); // "SSHKRL\n\0"; the caller has looked
  const version = reader.uint32();
  if (version !== 1) throw new Error(`it is a KRL of version ${version}; only 1 is known here`);
  reader.uint64(); // its number
  reader.uint64(); // when it was made
  reader.uint64(); // flags: none is defined
  reader.bytes(); // reserved
  reader.utf8(); // comment
  const keys = new Set<string>();
  const sha1 = new Set<string>();
  const sha256 = new Set<string>();
  const certificates: RevokedOfAuthority[] = [];
  while (!reader.atEnd) {
    const type = reader.byte();
    const body = new WireReader(reader.bytes());
    if (type === section.certificates) certificates.push(readCertificates(body));
    else if (type === section.explicitKey) while (!body.atEnd) keys.add(body.bytes().toString("base64"));
    else if (type === section.sha1) readDigests(body, 20, sha1);
    else if (type === section.sha256) readDigests(body, 32, sha256);
    else if (type === section.extension) refuseCriticalExtension(body);
    // Type 4, a signature inside the list, is dropped by OpenSSH itself; believing one unchecked would be worse than none.
    else throw new Error(`it has a section of type ${type}, which is not known here`);
  }
  return { keys, sha1, sha256, certificates };
};
