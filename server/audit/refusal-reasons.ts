/** Why a key was refused (authentication). Rules of a SIEM name them: add, don't change. */
const keyRefusals = [
  "no key",
  "the key can't be accepted",
  "the algorithm is not accepted with this key",
  "not a user name",
  "unknown user",
  "not a key of this user",
  "not in the required groups",
  /** Of a session that began without one, when its user's role asks for it now. */
  "a second factor is required",
  "from= does not allow this address",
  "the key's expiry-time is over",
  "the certificate's authority is not trusted",
  "it is a host's certificate",
  "the certificate is not yet valid",
  "the certificate is expired",
  "the certificate has no principals",
  "no principal of the certificate fits",
  "the certificate has an unknown critical option",
  "the certificate's source-address can't be read",
  "source-address does not allow this address",
  "revoked",
  "the certificate is revoked",
  "the certificate's authority is revoked",
  "the list of revoked keys can't be read",
  "the signed request is another one",
  "the signature is wrong",
  "the FIDO key was not touched",
  "the FIDO key was used without its PIN",
  "a PIN is required, and this key can't tell",
] as const;

export type KeyRefusal = (typeof keyRefusals)[number];

/** Why a code after the key was refused. */
export const codeRefusals = [
  "no second factor is enrolled",
  "the code is wrong",
  "the code was used before",
  "the recovery code is wrong",
  "the recovery code was used before",
  "too many wrong codes",
  "the second factor can't be read",
  "the code's use could not be stored",
] as const;

export type CodeRefusal = (typeof codeRefusals)[number];

export const loginRefusals = [
  ...keyRefusals,
  ...codeRefusals,
  "a second factor is required, and none is enrolled",
  "a key must come before a code",
  "no code was given",
  "only public keys are accepted",
  "the log-in could not be recorded",
] as const;

export type LoginRefusal = (typeof loginRefusals)[number];

/** Why a line did not become a command. */
export const commandRefusals = [
  "syntax",
  "language",
  "unknown",
  "hidden",
  "parameter",
  "limit",
  "pattern",
  "reason",
  "approval",
  "audit",
  /** Its client hung up, or somebody stopped it, before it began. */
  "stopped",
  /** What it waited for was over first. */
  "timeout",
  /** What it needed is not there, or can't be reached. */
  "unavailable",
  /** Ours: the event has a reference, which its user was told. */
  "bug",
] as const;

export type CommandRefusal = (typeof commandRefusals)[number];

/** Why an SSH request was refused after the log-in. */
export const requestRefusals = [
  /** A request that this endpoint does not serve, whoever asks. */
  "not available",
  "forwarding",
  "subsystem",
  "environment",
  /** This key or certificate may not have a terminal. */
  "no terminal",
  /** The session has its command or shell already. */
  "second command",
  "no more sessions",
  "too many sessions",
  "line too long",
  "line not UTF-8",
  /** This user may be here no longer: roles or keys were read again since the log-in. */
  "rights gone",
  /** Too little space left for the record. */
  "storage",
  /** A verification found that the record does not hold. */
  "record damaged",
  /** This user put too much on the record within an hour (recordMiBPerHour). */
  "record budget",
  /** Stands for those that were counted, not recorded one by one. */
  "left out",
] as const;

export type RequestRefusal = (typeof requestRefusals)[number];
