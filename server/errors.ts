import type { CommandRefusal } from "./audit/refusal-reasons.ts";

/**
 * Every way a command can fail: what a script sees as exit status, named with PowerShell's ErrorCategory.
 * The one table; nothing else in the product invents an exit status, as scripts tell failures apart by it.
 */
export const failures = {
  InvalidArgument: { exitStatus: 2 },
  ObjectNotFound: { exitStatus: 3 },
  ResourceExists: { exitStatus: 4 },
  LimitsExceeded: { exitStatus: 5 },
  OperationTimeout: { exitStatus: 6 },
  ResourceUnavailable: { exitStatus: 7 },
  ApprovalRequired: { exitStatus: 8 },
  InvalidResult: { exitStatus: 70 },
  ScriptsNotAllowed: { exitStatus: 126 },
  CommandNotFound: { exitStatus: 127 },
  OperationStopped: { exitStatus: 130 },
  // 254, not 1 or 255: the connection is fine and the command is valid, but it could not be recorded, so it was not run.
  // Operators alert on this number; 1 is anybody's, 127 is "not found", 255 is ssh's own (ssh(1) EXIT STATUS).
  AuditUnavailable: { exitStatus: 254 },
} as const satisfies Record<string, { readonly exitStatus: number }>;

export type FailureCategory = keyof typeof failures;

/**
 * A failure with two messages: `message` is for the connected user, `cause` is for the log and never leaves the server.
 * A message must not quote a secret, an address, a path or a driver's text.
 */
export class EndpointError extends Error {
  readonly category: FailureCategory;

  constructor(category: FailureCategory, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "EndpointError";
    this.category = category;
  }

  get exitStatus(): number {
    return failures[this.category].exitStatus;
  }
}

/** Somebody or something stopped it: Ctrl-C, a hang-up, the end of a session. */
export const stopped = (message = "Stopped.", cause?: unknown): EndpointError =>
  new EndpointError("OperationStopped", message, { cause });

/** A line that was refused before anything ran. */
export class Refusal extends EndpointError {
  readonly reason: CommandRefusal;
  /** The command's name when it exists, in its own spelling; never what was typed. */
  readonly command: string | undefined;

  constructor(
    category: FailureCategory,
    message: string,
    details: { readonly reason: CommandRefusal; readonly command?: string; readonly cause?: unknown },
  ) {
    super(category, message, { cause: details.cause });
    this.name = "Refusal";
    this.reason = details.reason;
    this.command = details.command;
  }
}
