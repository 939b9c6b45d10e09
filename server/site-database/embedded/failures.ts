import { EndpointError } from "../../errors.ts";

// SQLite's primary result codes (https://www.sqlite.org/rescode.html); node:sqlite puts the extended code into `errcode`.
const busy = 5;
const locked = 6;

const primaryCode = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined;

/** Is another connection holding the lock, so that trying again later makes sense? */
export const isLockFailure = (error: unknown): boolean => {
  const code = primaryCode(error);
  return code === busy || code === locked;
};

/** Something stored is not what this database would have stored: tampered with, damaged, or encrypted for another place. */
export class UnreadableCell extends Error {
  constructor(what: string, options?: { readonly cause?: unknown }) {
    super(what, options);
    this.name = "UnreadableCell";
  }
}

/**
 * What came of it; undefined where it did not work. Only the endpoint's own failures count as that; anything else is a fault of the
 * database and is thrown.
 */
export const ifWorks = <Result>(attempt: () => Result): Result | undefined => {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof EndpointError || error instanceof UnreadableCell) return undefined;
    throw error;
  }
};

/** Did it work? As for `ifWorks`. */
export const works = (attempt: () => unknown): boolean =>
  ifWorks(() => {
    attempt();
    return true;
  }) === true;

/** Turns whatever went wrong below into what the connected user may read; SQLite's own text goes to the log only. */
export const asEndpointError = (error: unknown): EndpointError => {
  if (error instanceof EndpointError) return error;
  if (error instanceof UnreadableCell)
    return new EndpointError("ResourceUnavailable", "Stored recovery data could not be read; the log says which.", {
      cause: error,
    });
  return new EndpointError("ResourceUnavailable", "The site database is not available.", { cause: error });
};

export const unavailable = (message: string, cause: string | Error): EndpointError =>
  new EndpointError("ResourceUnavailable", message, { cause: typeof cause === "string" ? new Error(cause) : cause });

export const throwIfStopped = (signal: AbortSignal): void => {
  if (signal.aborted) throw new EndpointError("OperationStopped", "The command was stopped.", { cause: signal.reason });
};
