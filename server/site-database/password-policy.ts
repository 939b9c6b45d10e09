const shortest = 12;
/** SQL Server's own limit for passwords of keys and certificates. */
const longest = 128;

const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** The rule in words, for the person who has to choose another password. */
export const passwordRule =
  `The password must have ${shortest} to ${longest} printable ASCII characters of at least three of these kinds: ` +
  "capital letters, small letters, digits, others.";

/**
 * Is this password good enough to stand alone between a stolen file and the private key?
 * ASCII only: PKCS #12 hashes UTF-16, PKCS #8 hashes whatever bytes the reader's terminal sends, so `ä` typed elsewhere may
 * be another password, and nobody finds out before the day of the restore.
 */
export const isAcceptablePassword = (password: string): boolean =>
  password.length >= shortest &&
  password.length <= longest &&
  /^[\x20-\x7e]*$/.test(password) &&
  kinds.filter((kind) => kind.test(password)).length >= 3;
