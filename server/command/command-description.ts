import type { ShortestPieces } from "../model/search-piece.ts";

/** A command that the connected user can see, as help and completion need it. */
export interface CommandDescription {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly synopsis: string;
  /** It stands after a pipe, and nowhere else. */
  readonly shaping: boolean;
  readonly description: string;
  readonly examples: readonly { readonly line: string; readonly explains: string }[];
  /** Only the parameters this user may give. */
  readonly parameters: readonly ParameterDescription[];
  /** One sentence a rule of the user's roles, for example `Give at least one of -ComputerName, -RecoveryKeyId.` */
  readonly rules: readonly string[];
  /** Why it is there: each role entry that grants it, in the order in which they are tried. */
  readonly grants: readonly {
    readonly roleCapability: string;
    /** `group:operators`, `user:exporter`; several where several give the role. */
    readonly through: string;
    readonly parameters: readonly string[];
    readonly rules: readonly string[];
  }[];
  /** Where an entry grants a search: the shortest pieces that one of them takes. */
  readonly search?: ShortestPieces;
  /** Where no entry takes a line without `-Reason`: any words, or one of the list. */
  readonly reason?: "any" | "listed";
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
  /** What the value must be, in words: `a computer's exact name`. */
  readonly expects?: string;
  /** Values worth offering where any text is allowed. */
  readonly suggestions?: readonly string[];
  /** Place among the values given without a parameter's name, from 0. */
  readonly position?: number;
  readonly required?: boolean;
}
