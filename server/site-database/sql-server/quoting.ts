/**
 * Texts and bytes inside T-SQL that takes no parameters: certificate and master-key statements want literals.
 * Everything else goes as a parameter and never comes here.
 */

/** Names that stand in DDL. A closed list: no name from outside is ever quoted into a statement. */
export const identifiers = {
  certificate: "BitLockerManagement_CERT",
  /** As Microsoft names the old one during a rotation. */
  oldCertificate: "BitLockerManagement_CERT_OLD",
  owner: "RecoveryAndHardwareCore",
  reader: "RecoveryAndHardwareRead",
  writer: "RecoveryAndHardwareWrite",
} as const;

/** A text that can't stand in a literal. Names what is wrong, never the text: it may be a password. */
export class UnquotableText extends Error {
  constructor(problem: string) {
    super(`a literal can't hold ${problem}`);
    this.name = "UnquotableText";
  }
}

/**
 * Quotes a text as `N'…'`, every `'` doubled: the only escape T-SQL knows in a string constant
 * (https://learn.microsoft.com/sql/t-sql/data-types/constants-transact-sql).
 *
 * Always with N: without it the server turns the text into the database's code page first, and best-fit mapping makes an
 * apostrophe of U+02BC or U+FF07. Refuses what the wire or the parser could read differently from us: NUL, half a surrogate
 * pair, and a backslash before a line break, which T-SQL takes for a continued line and removes.
 */
export const quoteText = (text: string): string => {
  if (text.includes("\0")) throw new UnquotableText("a zero character");
  if (!text.isWellFormed()) throw new UnquotableText("half a character");
  if (/\\[\r\n]/.test(text)) throw new UnquotableText("a continued line");
  return `N'${text.replaceAll("'", "''")}'`;
};

/** Bytes as `0x…`. Takes bytes, not text: hexadecimal that someone else wrote never gets in. */
export const quoteBytes = (bytes: Uint8Array): string => {
  if (bytes.length === 0) throw new UnquotableText("no bytes");
  return `0x${Buffer.from(bytes).toString("hex").toUpperCase()}`;
};
