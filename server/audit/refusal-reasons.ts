import { codeRefusals, keyRefusals } from "../identity/log-in.ts";

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
