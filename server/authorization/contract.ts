import type { BoundCommand, BoundShaping, CommandDescription } from "../../commands/define-command.ts";

/** A whole line, found, decoded and accepted by one entry of one role capability. Nothing after this asks "may they?". */
export interface BoundLine {
  readonly command: BoundCommand;
  readonly shaping: readonly BoundShaping[];
  /** The role capability whose entry accepted it, `default` for JEA's default commands. */
  readonly roleCapability: string;
  /** More rows than this from the command (before shaping): `LimitsExceeded`, and none is shown. */
  readonly maxRows: number | undefined;
}

/** The commands one user can see, narrowed to their role entries; made at log-in and replaced whole on reload. */
export interface VisibleCommands {
  readonly descriptions: readonly CommandDescription[];
  /**
   * Text → a bound line.
   * Throws `Refusal`: `ScriptsNotAllowed` (language), `CommandNotFound` (unknown and hidden, word for word the same),
   * `InvalidArgument` (with this user's allowed values), `LimitsExceeded`.
   */
  readonly bindLine: (line: string) => BoundLine;
}

/** A checked jea-roles.json. */
export interface Roles {
  commandsFor(connectedUser: string): VisibleCommands;
  readonly session: {
    /** An interactive session without input for this long is ended, with a warning a minute before. */
    readonly idleTimeoutMs: number;
    readonly longestSessionMs: number;
    /** Sent as the SSH banner before log-in; may be empty. */
    readonly legalNotice: string;
  };
}
