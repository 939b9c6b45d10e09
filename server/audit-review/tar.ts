/**
 * POSIX ustar (IEEE Std 1003.1, pax, "ustar Interchange Format"): plain files with short names, which is all that a record has.
 * Written here because none of the libraries that are installed writes one, and a new dependency would cost more than this.
 */

const blockBytes = 512;
/** Eleven octal digits. */
const largestFile = 8 ** 11 - 1;

interface TarEntry {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  readonly bytes: number;
  readonly modifiedAt: Date;
}

const octal = (number: number, digits: number): string => `${number.toString(8).padStart(digits, "0")}\0`;

/** @throws Error for a file that the format can't hold */
export const tarHeader = ({ name, bytes, modifiedAt }: TarEntry): Buffer => {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new Error(`a tar archive can't hold a file of this name: ${name}`);
  if (bytes > largestFile) throw new Error(`a tar archive can't hold a file of ${bytes} bytes`);
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0);
  header.write(octal(0o600, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(bytes, 11), 124);
  header.write(octal(Math.max(0, Math.floor(modifiedAt.getTime() / 1000)), 11), 136);
  header.write(" ".repeat(8), 148); // the checksum counts as blanks while it is made
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
};

/** What fills a file's last block. */
export const tarPadding = (bytes: number): Buffer => Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);

export const tarEnd = (): Buffer => Buffer.alloc(2 * blockBytes);
