import type { Secret } from "../server/secret.ts";
import type { SiteDatabase } from "../server/site-database/port.ts";

/** What a cell of a result can be. A `Secret` leaves the server only through `disclose()`. */
export type Cell = string | number | boolean | null | Secret;
/** Cells in the order of the result's columns. */
export type Row = readonly Cell[];

export interface Column {
  readonly name: string;
  /** How wide the column usually is, in terminal cells; tables are streamed and can't look ahead. */
  readonly width: number;
  /** The column holds recovery keys. */
  readonly secret?: boolean;
}

export const outputFormats = ["table", "list", "json", "ndjson", "csv"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** What a command answers. */
export type CommandResult =
  | {
      readonly kind: "rows";
      readonly columns: readonly Column[];
      /** Pulled one batch at a time; nothing is fetched ahead of the reader. */
      readonly batches: AsyncIterable<readonly Row[]>;
      /** Chosen by `-Format` or implied by `-raw`; without it the session's default. */
      readonly format?: OutputFormat;
      /** How many rows will come, where the command can tell cheaply; asked before keys are shown in bulk. */
      readonly count?: () => Promise<number>;
      /** Asked after the last row; 0 without it. 1 is a negative answer (`verify-cert`: not valid). */
      readonly exitStatus?: () => 0 | 1;
    }
  | { readonly kind: "text"; readonly text: string; readonly exitStatus?: 0 | 1 }
  /** Something the session itself does. */
  | { readonly kind: "session"; readonly action: "clear" | "exit" };

/** A command that the connected user can see, as help and completion need it. */
export interface CommandDescription {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly synopsis: string;
  readonly description: string;
  readonly examples: readonly { readonly line: string; readonly explains: string }[];
  /** Only the parameters this user may give. */
  readonly parameters: readonly ParameterDescription[];
  /** One sentence a rule of the user's roles, for example `Give at least one of -ComputerName, -RecoveryKeyId.` */
  readonly rules: readonly string[];
}

export interface ParameterDescription {
  readonly name: string;
  readonly synopsis: string;
  readonly kind: "switch" | "value" | "list";
  /** `<name>`, `<GUID>`, … in syntax lines; empty for a switch. */
  readonly placeholder: string;
  /** The closed set of values this user may give, where there is one (the parameter's own, narrowed by the roles). */
  readonly values?: readonly string[];
  /** Patterns of the roles, as written; any of them. */
  readonly patterns?: readonly string[];
}

/** What a command may use. No command imports a package or a `node:` module: everything comes from here. */
export interface CommandContext {
  readonly connectedUser: string;
  readonly siteDatabase: SiteDatabase;
  /** The commands this user can see; nothing else exists for them. */
  readonly visibleCommands: readonly CommandDescription[];
  /** `true` where a person sits at a terminal. */
  readonly interactive: boolean;
  /**
   * Asks for a password: on the trusted path, never through the UI process; in exec the first line of standard input.
   * `repeat` asks twice where a person types. Throws `InvalidArgument` when standard input gives none.
   */
  askPassword(prompt: string, options: { readonly repeat: boolean }): Promise<Secret>;
  readonly signal: AbortSignal;
  now(): Date;
}

/** A parameter's value as typed: `true` for a bare switch, else one text or several (`-Name a,b`). */
export type RawValue = true | string | readonly string[];
/** Keys are whole parameter names in the definition's own spelling; prefixes were resolved before. */
export type RawParameters = ReadonlyMap<string, RawValue>;

/** A command with its parameters checked: what is logged, and the only way to run it. */
export interface BoundCommand {
  readonly name: string;
  /** For the record: every given parameter, in the definition's spelling, checked. */
  readonly parameters: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  /** The helpdesk reason, where the command takes one and it was given. */
  readonly reason: string | undefined;
  run(context: CommandContext): Promise<CommandResult>;
}
