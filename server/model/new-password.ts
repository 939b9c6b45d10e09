const shortest = 12;
/** SQL Server's own limit for passwords of keys and certificates. */
const longest = 128;

const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** The rule in words, for the person who has to choose another password. */
const newPasswordRule =
  `The password must have ${shortest} to ${longest} printable ASCII characters of at least three of these kinds: ` +
  "capital letters, small letters, digits, others.";

const byteOrderMark = /^(?:\ufeff|\ufffe|\u00ef\u00bb\u00bf)/;
const strayEnds = /^[\s\ufeff\ufffe]+|[\s\ufeff]+$/g;

/**
 * What is wrong with a password that is to stand alone between a stolen file and a private key; undefined: nothing.
 * ASCII only: PKCS #12 hashes UTF-16, PKCS #8 hashes whatever bytes the reader's terminal sends, so `ä` typed elsewhere may
 * be another password, and nobody finds out before the day of the restore. A blank at an end is one that nobody knows of.
 */
export const problemOfNewPassword = (password: string): string | undefined => {
  if (byteOrderMark.test(password)) {
    return "The password begins with a byte order mark, which the sending program has put there. Send it without one.";
  }
  if (password.trim() !== password) {
    return "The password begins or ends with a blank. cmd.exe sends one for “echo PASSWORD | ssh …”: write “echo PASSWORD| ssh …”.";
  }
  const isGood =
    password.length >= shortest &&
    password.length <= longest &&
    /^[\x20-\x7e]*$/.test(password) &&
    kinds.filter((kind) => kind.test(password)).length >= 3;
  return isGood ? undefined : newPasswordRule;
};

/** What a password may have been when it was chosen: without blanks and byte order marks at its ends. */
export const withoutStrayEnds = (password: string): string => password.replace(strayEnds, "");
