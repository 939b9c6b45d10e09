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

interface Failure {
  readonly exitStatus: number;
  /** For the documents. */
  readonly meaning: string;
  /** The reason on the record where a line was refused with it, and nothing closer is known. */
  readonly refusedAs: CommandRefusal;
}

/**
 * Every way a command can fail: what a script sees as exit status, named with PowerShell's ErrorCategory.
 * The one table; nothing else in the product invents an exit status, as scripts tell failures apart by it.
 * docs/reference/exit-statuses.md is made of it.
 */
export const failures = {
  InvalidArgument: {
    exitStatus: 2,
    meaning: "a parameter is missing or wrong; the message has the values that your role allows",
    refusedAs: "parameter",
  },
  ObjectNotFound: {
    exitStatus: 3,
    meaning: "nothing was found, or only some of the named computers or ids, which are shown",
    refusedAs: "unavailable",
  },
  ResourceExists: { exitStatus: 4, meaning: "something is there already", refusedAs: "unavailable" },
  LimitsExceeded: {
    exitStatus: 5,
    meaning: "too many rows, keys within an hour, or sessions; the message names the limit",
    refusedAs: "limit",
  },
  OperationTimeout: { exitStatus: 6, meaning: "it took too long", refusedAs: "timeout" },
  ResourceUnavailable: {
    exitStatus: 7,
    meaning: "the site database, the server or a screen is not available",
    refusedAs: "unavailable",
  },
  ApprovalRequired: {
    exitStatus: 8,
    meaning: "another person must approve it; the message has the request's id",
    refusedAs: "approval",
  },
  InvalidResult: {
    exitStatus: 70,
    meaning: "a bug; the message has a reference, and the log has the rest",
    refusedAs: "bug",
  },
  ScriptsNotAllowed: {
    exitStatus: 126,
    meaning: "no scripts: one command at a time, and no variables or expressions",
    refusedAs: "language",
  },
  CommandNotFound: {
    exitStatus: 127,
    meaning: "not recognised; hidden and unknown commands are the same",
    refusedAs: "unknown",
  },
  OperationStopped: { exitStatus: 130, meaning: "it was stopped", refusedAs: "stopped" },
  // 254, not 1 or 255: the connection is fine and the command is valid, but it could not be recorded, so it was not run.
  // Operators alert on this number; 1 is anybody's, 127 is "not found", 255 is ssh's own (ssh(1) EXIT STATUS).
  AuditUnavailable: { exitStatus: 254, meaning: "it could not be recorded, so it was not done", refusedAs: "audit" },
} as const satisfies Readonly<Record<string, Failure>>;

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

/** What was named may be one of several: none was chosen, although something is there. */
export class Ambiguous extends EndpointError {
  constructor(message: string) {
    super("ObjectNotFound", message);
    this.name = "Ambiguous";
  }
}

/** What the system calls an error, as `ENOENT`; undefined where it is none of its errors. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

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
