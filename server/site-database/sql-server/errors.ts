import { EndpointError } from "../../errors.ts";
import { failureTable } from "./failure-table.ts";
import type { SqlFailure } from "./failure-table.ts";
import type { Statement } from "./statement.ts";

/** The connection broke under a request. Reads that gave nothing yet may be tried again; anything else must not. */
export class ConnectionLost extends EndpointError {
  constructor(cause: Error) {
    super("ResourceUnavailable", "The connection to the site database was lost. Run the command again.", { cause });
    this.name = "ConnectionLost";
  }
}

/**
 * The reader took too long for a batch, so its request was given up and its connection given back. Never leaves the adapter:
 * reading goes on behind the last row.
 */
export class ReaderStalled extends Error {
  constructor() {
    super("the reader took no rows for the length of the stall timeout");
    this.name = "ReaderStalled";
  }
}

const defaultMessage = "The site database is not available.";

/** For the log: one line, without control characters, and without runs of digits that may be a recovery key's. */
const clean = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .replace(/\d{6,}/g, "••••••")
    .slice(0, 500);

const property = (error: object, name: string): unknown =>
  name in error ? (error as Record<string, unknown>)[name] : undefined; // "in" has just shown that it is there

const numberOf = (error: Error): number | undefined => {
  const number = property(error, "number");
  return typeof number === "number" ? number : undefined;
};

/** Every error inside an error: several server errors come as an AggregateError without a message, and causes nest. */
const flatten = (error: unknown, depth = 0): readonly Error[] => {
  if (!(error instanceof Error) || depth > 4) return [];
  const inner = error instanceof AggregateError ? error.errors : [];
  return [error, ...[...inner, error.cause].flatMap((each) => flatten(each, depth + 1))];
};

const describeOne = (error: Error, mayQuote: boolean): string => {
  const number = numberOf(error);
  const code = property(error, "code");
  const parts = [
    number === undefined ? undefined : `SQL Server error ${number}`,
    number === undefined && typeof code === "string" ? code : undefined,
    ...["state", "class", "procName", "lineNumber"].map((name) => {
      const value = property(error, name);
      return (typeof value === "number" || typeof value === "string") && value !== ""
        ? `${name} ${clean(String(value))}`
        : undefined;
    }),
    mayQuote && error.message !== "" ? clean(error.message) : undefined,
  ].filter((part) => part !== undefined);
  return parts.join(", ");
};

/**
 * What the log may say of a driver's error. The driver's own object is left behind: it can quote a statement's text, and for
 * a statement that holds a password even the message stays out, for SQL Server quotes what it could not read.
 */
export const describe = (error: unknown, sensitive: boolean): string => {
  const described = flatten(error)
    .map((each) => describeOne(each, !sensitive))
    .filter((text) => text !== "");
  return [...new Set(described)].join("; ") || "an error without a description";
};

/** The server's error numbers in an error, outermost first. */
export const numbersIn = (error: unknown): readonly number[] =>
  flatten(error)
    .map(numberOf)
    .filter((number) => number !== undefined);

const codesIn = (error: unknown): readonly string[] =>
  flatten(error)
    .map((each) => property(each, "code"))
    .filter((code) => typeof code === "string");

const fromTable = (error: unknown): SqlFailure | undefined =>
  numbersIn(error)
    .map((number) => failureTable.get(number))
    .find((failure) => failure !== undefined);

/** A request that failed: the server's answer, a timeout, or a connection that broke (`lost`). */
export const requestFailure = (error: unknown, statement: Statement, lost: boolean): EndpointError => {
  const cause = new Error(`${statement.name}: ${describe(error, statement.sensitive === true)}`);
  const known = fromTable(error);
  // A server that ends the session says why first (596, 6005, …): both the number and the loss are known then.
  if (lost && (known === undefined || known.category === "ResourceUnavailable")) return new ConnectionLost(cause);
  if (known !== undefined) return new EndpointError(known.category, known.message ?? defaultMessage, { cause });
  const codes = codesIn(error);
  if (codes.includes("ETIMEOUT")) return timedOut(cause);
  if (codes.includes("EPARAM"))
    return new EndpointError("InvalidArgument", "A value can't be sent to the site database.", { cause });
  // A number that is not in the table is our mistake or the site's: nothing is known that a user could do.
  return new EndpointError("InvalidResult", "The site database gave an error; the log says which.", { cause });
};

/** No connection could be opened. */
export const connectFailure = (error: unknown): EndpointError =>
  new EndpointError("ResourceUnavailable", defaultMessage, {
    cause: new Error(`connecting: ${describe(error, false)}`),
  });

export const timedOut = (cause: Error): EndpointError =>
  new EndpointError("OperationTimeout", "The site database did not answer in time.", { cause });

export const unavailable = (message: string, cause: string): EndpointError =>
  new EndpointError("ResourceUnavailable", message, { cause: new Error(cause) });

export const stopped = (signal: AbortSignal): EndpointError =>
  new EndpointError("OperationStopped", "The command was stopped.", { cause: signal.reason });

export const throwIfStopped = (signal: AbortSignal): void => {
  if (signal.aborted) throw stopped(signal);
};
