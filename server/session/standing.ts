import type { AuthenticatedConnection, KeyRefusal } from "./contract.ts";

/** What went away, in words for the user who was logged in with it. */
const whatIsGone = (refusal: KeyRefusal): string => {
  switch (refusal) {
    case "not in the required groups":
      return "You are no longer among those who may connect";
    case "unknown user":
    case "not a key of this user":
      return "The key you are logged in with was removed";
    case "the key's expiry-time is over":
      return "The key you are logged in with expired";
    case "the certificate is expired":
      return "The certificate you are logged in with expired";
    case "revoked":
    case "the certificate is revoked":
    case "the certificate's authority is revoked":
      return "The key or certificate you are logged in with was revoked";
    case "the certificate's authority is not trusted":
      return "The authority of the certificate you are logged in with is no longer trusted";
    case "the list of revoked keys can't be read":
      return "Nobody can log in at the moment";
    default:
      return "You could not log in this way any more";
  }
};

export interface Eviction {
  /** For the user. */
  readonly message: string;
  /** For the record. */
  readonly reason: string;
}

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
