/** SSH's data types (RFC 4251 §5), read strictly: a short read or a byte too many is an error, never a guess. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WireError";
  }
}

export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new WireError("short read");
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  byte(): number {
    return this.#take(1).readUInt8(0);
  }

  uint32(): number {
    return this.#take(4).readUInt32BE(0);
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE(0);
  }

  bytes(): Buffer {
    return this.#take(this.uint32());
  }

  /** How many bytes were read so far. */
  get consumed(): number {
    return this.#at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A name: printable US-ASCII. */
  ascii(): string {
    const text = this.bytes().toString("latin1");
    if (!/^[\x20-\x7e]*$/.test(text)) throw new WireError("not ASCII");
    return text;
  }

  utf8(): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytes());
    } catch (cause) {
      if (cause instanceof WireError) throw cause;
      throw new WireError("not UTF-8");
    }
  }

  /** A positive integer, big-endian, without its sign byte. RFC 4251 forbids needless leading zeros, so one is an error. */
  positiveInteger(): Buffer {
    const bytes = this.bytes();
    const [first, second] = bytes;
    if (first === undefined || first >= 0x80) throw new WireError("integer is not positive");
    if (first !== 0) return bytes;
    if (second === undefined || second < 0x80) throw new WireError("integer has needless zeros");
    return bytes.subarray(1);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new WireError("trailing bytes");
  }
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** An SSH `string`: length, then bytes. */
export const wireString = (value: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
};
