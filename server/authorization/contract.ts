import type { BoundCommand, BoundShaping, CommandDescription } from "../command/define-command.ts";
import type { KeyBounds } from "../command/site-database.ts";
import type { RuleValues } from "./entry-rules.ts";
import type { Circumstances } from "./circumstances.ts";

/** What another person would approve: the invocation without `-RequestId` and `-Wait`. */
export interface ApprovalNeeded {
  /** Canonical form, for people; key-shaped text is masked. */
  readonly invocation: string;
  /** SHA-256 over command, unmasked parameters, pipeline and role capability: what an approval is bound to. */
  readonly digest: string;
  readonly requestId: string | undefined;
  readonly wait: boolean;
}

export interface LineBounds {
  readonly allows: KeyBounds;
  /** The rules as written, in one spelling: two with the same text allow the same. */
  readonly text: string;
}

/**
 * A whole line, found, decoded and accepted by one entry of one role capability. Nothing after this asks "may they?".
 * It has the entry's rules: limits of what is shown are the session's to hold.
 */
export interface BoundLine extends RuleValues {
  readonly command: BoundCommand;
  readonly shaping: readonly BoundShaping[];
  /** The role capability whose entry accepted it, `default` for JEA's default commands. */
  readonly roleCapability: string;
  /** Set where the entry requires approval by another person. */
  readonly approval: ApprovalNeeded | undefined;
  /** Set where a rule of the entry bounds the keys that are there: what is outside does not exist for this line. */
  readonly keyBounds: LineBounds | undefined;
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
  /** The same for who asks only whether the line is allowed: `undefined` where it is refused. */
  readonly bindIfAllowed: (line: string) => BoundLine | undefined;
}

/** A checked jea-roles.json. */
export interface Roles {
  /**
   * Role definitions with a time or a network count only where the circumstances are known and fit. The same map as long as the
   * same definitions count.
   */
  commandsFor(connectedUser: string, circumstances?: Circumstances): VisibleCommands;
  readonly session: {
    /** A screen without input for this long is cleared and locked, or ended where nothing opens a lock; a warning comes a minute before. */
    readonly idleLockMs: number;
    /** An interactive session without input for this long is ended, with a warning a minute before. */
    readonly idleTimeoutMs: number;
    readonly longestSessionMs: number;
    /** Sessions and running commands of one user at a time. */
    readonly sessionsPerUser: number;
    readonly commandsPerUser: number;
    /** How long a request for approval waits, and how long an approval can be used. */
    readonly requestMs: number;
    readonly approvalMs: number;
    /** An interactive session begins with the legal notice and the word `yes`. */
    readonly requireAcceptance: boolean;
    /** Sent as the SSH banner before log-in; may be empty. */
    readonly legalNotice: string;
  };
}
