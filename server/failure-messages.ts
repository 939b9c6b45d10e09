import { randomBytes } from "node:crypto";
import { EndpointError, stopped } from "./errors.ts";
import { maskKey } from "./model/key-shaped-text.ts";

const newReference = (): string => `R-${randomBytes(5).toString("hex").toUpperCase()}`;

/** For the log: what a failure was, without a key that a driver's text may quote. */
export const describe = (error: unknown): string => {
  const causes: string[] = [];
  for (let at: unknown = error; at instanceof Error && causes.length < 4; at = at.cause) {
    causes.push(`${at.name}: ${at.message}`);
  }
  return maskKey(causes.length === 0 ? String(error) : causes.join(" ← ")).slice(0, 1000);
};

/** A failure's two messages: what the user reads, and what the log has. A failure that is no EndpointError is a bug. */
export const translate = (
  error: unknown,
  signal: AbortSignal,
): { readonly failure: EndpointError; reference?: string } => {
  if (error instanceof EndpointError && error.category !== "InvalidResult") return { failure: error };
  if (signal.aborted) return { failure: stopped(undefined, error) };
  const reference = newReference();
  return {
    failure: new EndpointError("InvalidResult", `The command failed. Reference ${reference}.`, { cause: error }),
    reference,
  };
};
