import type { EndpointError } from "../errors.ts";
import type { KeyRefusal } from "../identity/log-in.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";

const removed = "The key you are logged in with was removed";
const revoked = "The key or certificate you are logged in with was revoked";

/** What went away, in words for the user who was logged in with it. The others are rare: a group left, `from=` changed. */
const sentences: Readonly<Partial<Record<KeyRefusal, string>>> = {
  "not in the required groups": "You are no longer among those who may connect",
  "a second factor is required": "Your role asks for a second factor now",
  "unknown user": removed,
  "not a key of this user": removed,
  "the key's expiry-time is over": "The key you are logged in with expired",
  "the certificate is expired": "The certificate you are logged in with expired",
  revoked,
  "the certificate is revoked": revoked,
  "the certificate's authority is revoked": revoked,
  "the certificate's authority is not trusted":
    "The authority of the certificate you are logged in with is no longer trusted",
  "the list of revoked keys can't be read": "Nobody can log in at the moment",
};

const whatIsGone = (refusal: KeyRefusal): string => sentences[refusal] ?? "You could not log in this way any more";

export interface Eviction {
  /** For the user. */
  readonly message: string;
  /** For the record. */
  readonly reason: string;
}

/** Why all sessions, or all of one user, were ended, for the record. */
export const whyEnded = ({ category }: EndpointError): string =>
  category === "LimitsExceeded" ? "record budget" : "no space for the record";

/**
 * Why a running session must end. A list of revoked keys that can't be read stops log-ins only: nothing says that the
 * keys of those who are here were revoked, and an interrupted copy should not stop an export in its middle.
 */
export const whyToLeave = (connection: AuthenticatedConnection): Eviction | undefined => {
  const refusal = connection.refusalNow();
  if (refusal === undefined || refusal === "the list of revoked keys can't be read") return undefined;
  return { message: `${whatIsGone(refusal)}, so the session was ended.`, reason: `rights gone: ${refusal}` };
};

/**
 * Why a connection takes no more sessions. It outlives them (ssh's ControlMaster), and another session on it is another
 * way in: it is let in as a log-in would be.
 */
export const whyNotToBegin = (connection: AuthenticatedConnection): Eviction | undefined => {
  const refusal = connection.refusalNow();
  if (refusal === undefined) return undefined;
  const message = `${whatIsGone(refusal)}, so this connection takes no more sessions. Close it, and log in anew.`;
  return { message, reason: refusal };
};
