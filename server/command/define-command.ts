import type { CommandDescription } from "./command-description.ts";
import { given } from "./given.ts";
import { Refusal } from "../errors.ts";
import type { Secret, SecretLabel } from "../secret.ts";
import type { OnRecord } from "../audit/on-record.ts";
import type { ReviewPort } from "./review-port.ts";
import type { ElevationPort } from "./elevation-port.ts";
import type { OpenedTranscript, TranscriptPort } from "./transcript-port.ts";
import type { Collected, ListedKey, SiteDatabase } from "./site-database.ts";
import { namesHoldKey, valueHoldsKey } from "../model/key-shaped-text.ts";
import type { Parameter, Parameters, RawParameters, Values } from "./parameters.ts";

/** What a cell of a result can be. A `Secret` leaves the server only through `disclose()`. */
export type Cell = string | number | boolean | null | Secret;
/** Cells in the order of the result's columns. */
export type Row = readonly Cell[];

export interface Column {
  readonly name: string;
  /** How wide the column usually is, in terminal cells; tables are streamed and can't look ahead. */
  readonly width: number;
  /** Scripts' tables are at least so wide here: the first rows of a live answer don't tell how wide the next will be. */
  readonly least?: number;
  /** The column holds recovery keys, or what else is secret. */
  readonly secret?: boolean;
}

export const outputFormats = ["table", "list", "json", "ndjson", "csv"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Left out it is a table or a list, whichever fits. */
export const isForPeople = (format: OutputFormat | undefined): boolean =>
  format === undefined || format === "table" || format === "list";

/** What a command answers. */
export type CommandResult =
  | {
      readonly kind: "rows";
      readonly columns: readonly Column[];
      /** Pulled one batch at a time; nothing is fetched ahead of the reader. */
      readonly batches: AsyncIterable<readonly Row[]>;
      /**
       * Marks keys as disclosed in the site database, so that their clients replace them. Called with the ids of exactly the
       * keys that are about to be shown, after shaping: a key that nobody sees must not make its client rotate.
       */
      readonly mark?: (keyIds: readonly string[]) => Promise<void>;
      /** Chosen by `-Format` or implied by `-raw`; without it the session's default. */
      readonly format?: OutputFormat;
      /** How many rows will come, where the command can tell cheaply; asked before keys are shown in bulk. */
      readonly count?: () => Promise<number>;
      /** The answer must not tell the number of rows, except by the rows themselves. */
      readonly countIsHidden?: true;
      /** What would leave fewer rows: parameters that this user may give and did not. */
      readonly narrowing?: readonly string[];
      /** Every key of the site in a form for scripts, with what was stored before the first was read: sent whole, it is a collection. */
      readonly collects?: Collected;
      /** Rows come when something happens, until somebody stops it: each is shown at once, and no page waits for a key. */
      readonly live?: true;
      /** What the secret columns hold, where these are no recovery keys. */
      readonly secretsAre?: string;
      /** Said to people after the last row, where the rows were not shaped. */
      readonly summary?: () => string;
      /** 0 without it. 1 is a negative answer (`verify-cert`: not valid), 3: some of what was named is not there. */
      readonly exitStatus?: 0 | 1 | 3;
    }
  | { readonly kind: "text"; readonly text: string; readonly exitStatus?: 0 | 1 }
  /** Played on a screen, a file for a script; closed by who shows it. */
  | { readonly kind: "transcript"; readonly transcript: OpenedTranscript; readonly v2: boolean }
  /** A file, for a script: no terminal shows it. */
  | { readonly kind: "bytes"; readonly chunks: AsyncIterable<Uint8Array> }
  | SecretFile
  /** Something the session itself does. */
  | {
      readonly kind: "session";
      readonly action: "clear" | "exit";
      /** A script's session ends with the status of its first command that failed, not of the last one. */
      readonly firstFailed?: true;
    };

/** A file for a script, which is a secret: taken from the site only when its disclosure is on the record. */
export interface SecretFile {
  readonly kind: "secret-file";
  readonly label: SecretLabel;
  /** The file in base64. @throws EndpointError ObjectNotFound */
  readonly take: () => Promise<Secret>;
  /** Sent as a line of base64, not as it is. */
  readonly inBase64: boolean;
}

export type RowsResult = Extract<CommandResult, { kind: "rows" }>;
export type TextResult = Extract<CommandResult, { kind: "text" }>;

export type { CommandDescription, ParameterDescription } from "./command-description.ts";

/**
 * What counting rows ahead may use. Its ports are open because an event is on the record: without the proof there is no context,
 * so nothing is asked of the site database that the record doesn't know of.
 */
export interface EstimateContext {
  readonly opening: OnRecord<"command-started" | "elevation">;
  /** With the keys only that this user's rules let them see. */
  readonly siteDatabase: Omit<SiteDatabase, "searchKeys">;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** What a search found, as far as the role lists it. */
interface SearchResult {
  readonly keys: readonly ListedKey[];
  /** Whether there are more. */
  readonly more: boolean;
}

/** What counting rows ahead found. */
export interface RowEstimate {
  readonly rows: number;
  /** A sentence for an approver: what of the invocation finds nothing. */
  readonly finding?: string;
}

/** `new`: judged at once, and asked for twice where a person types; `existing`: taken as it is given. */
export type PasswordPurpose = "new" | "existing";

/** What a command may use. No command imports a package or a `node:` module: everything comes from here. */
export interface CommandContext extends EstimateContext {
  readonly opening: OnRecord<"command-started">;
  /** Transcripts of every session. */
  readonly transcripts: TranscriptPort;
  /** The record; each use of it is itself put on the record first. */
  readonly review: ReviewPort;
  readonly connectedUser: string;
  /** The commands this user can see; nothing else exists for them. */
  readonly visibleCommands: readonly CommandDescription[];
  /** `true` where a person sits at a terminal. */
  readonly interactive: boolean;
  /**
   * Asks for a password: on the trusted path, never through the UI process; in exec the first line of standard input.
   * Throws `InvalidArgument` when standard input gives none, or none that is good enough.
   */
  readonly askPassword: (prompt: string, purpose: PasswordPurpose) => Promise<Secret>;
  /** Asks a person a question of consequence, on the trusted path. Always `false` in exec: a script says it by a switch. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Lists keys by a part of a name or id; present where the role has a rule for it. Each search is on the record first, and counts. */
  readonly search: ((piece: string) => Promise<SearchResult>) | undefined;
  /** Names up to three computers with keys that are close to a name without; present and counted as `search` is. */
  readonly closeComputers: ((name: string) => Promise<readonly string[]>) | undefined;
  /** Approval by a second person, as far as the connected user has a part in it. */
  readonly elevation: ElevationPort;
  /** Says something beside the answer while the command runs: how far it is. */
  readonly tell: (text: string) => Promise<void>;
}

/** A command with its parameters checked: what is logged, and the only way to run it. */
export interface BoundCommand {
  readonly name: string;
  /** For the record: every given parameter, in the definition's spelling, checked. */
  readonly parameters: Readonly<Record<string, string | boolean | number | readonly string[]>>;
  /** The helpdesk reason, where the command takes one and it was given. */
  readonly reason: string | undefined;
  /** Counts the rows that would come, showing none; absent where the command can't tell. */
  readonly estimateRows?: (context: EstimateContext) => Promise<RowEstimate>;
  run(context: CommandContext): Promise<CommandResult>;
}

/** A shaping command (`Select-Object`, `Measure-Object`) with its parameters checked. Works on rows before disclosure. */
export interface BoundShaping {
  /** For the record: name and parameters in one canonical text. */
  readonly canonical: string;
  /** What approval is bound to; not masked. Stays in authorization. */
  readonly texts: CheckedTexts;
  readonly name: string;
  /** Throws `InvalidArgument` when a named column does not exist. */
  apply(result: RowsResult): RowsResult;
}

/** What every command says about itself. */
interface Facts {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly synopsis: string;
  readonly description: string;
  readonly examples: readonly { readonly line: string; readonly explains: string }[];
  /** JEA's default set: everyone who may connect has it, and no role can narrow it. */
  readonly forEveryone: boolean;
  /** How approval by a second person works: such a command can't need approval itself. */
  readonly forElevation: boolean;
}

/** What roles are checked against: each given parameter's values in canonical spelling, not masked. Stays in authorization. */
export type CheckedTexts = ReadonlyMap<string, readonly string[]>;

/** The values this user may give, by parameter; for the words of a refusal only. */
export type NarrowedValues = ReadonlyMap<string, readonly string[]>;

export interface CommandDefinition extends Facts {
  readonly kind: "command";
  readonly parameters: ReadonlyMap<string, Parameter<unknown>>;
  /** @throws Refusal InvalidArgument, in words that name what this user may give */
  bind(
    raw: RawParameters,
    narrowed?: NarrowedValues,
  ): {
    readonly command: BoundCommand;
    readonly texts: CheckedTexts;
    /** Only rows can be shaped. */
    readonly answersRows: boolean;
  };
}

export interface ShapingDefinition extends Facts {
  readonly kind: "shaping";
  readonly parameters: ReadonlyMap<string, Parameter<unknown>>;
  /** @throws Refusal InvalidArgument */
  bind(raw: RawParameters): BoundShaping;
}

export type AnyDefinition = CommandDefinition | ShapingDefinition;

type Recorded = BoundCommand["parameters"][string];

interface Checked<P extends Parameters> {
  readonly values: Values<P>;
  readonly texts: CheckedTexts;
  readonly recorded: Readonly<Record<string, Recorded>>;
}

const refuse = (command: string, message: string): Refusal =>
  new Refusal("InvalidArgument", message, { reason: "parameter", command });

const holdsKeyMessage = (parameter: string): string =>
  `-${parameter} must not hold a recovery key: what stood there looks like one. It is neither repeated nor recorded here.`;

const lineHoldsKeyMessage =
  "The values together must not hold a recovery key: these look like one in pieces. It is neither repeated nor recorded here.";

/** The one place where typed texts become typed values. */
const check = <P extends Parameters>(
  command: string,
  parameters: P,
  raw: RawParameters,
  narrowed: NarrowedValues | undefined,
): Checked<P> => {
  for (const name of raw.keys()) {
    if (!Object.hasOwn(parameters, name)) throw refuse(command, `${command} has no such parameter.`);
  }
  const values: [string, unknown][] = [];
  const texts = new Map<string, readonly string[]>();
  const recorded: [string, Recorded][] = [];
  for (const [name, parameter] of Object.entries(parameters)) {
    const given = raw.get(name);
    if (given === undefined) {
      if (parameter.required) throw refuse(command, `-${name} is needed: ${parameter.expects}.`);
      continue;
    }
    const decoded = parameter.decode(given);
    if ("problem" in decoded) {
      if (given !== true && valueHoldsKey(typeof given === "string" ? [given] : given)) {
        throw refuse(command, holdsKeyMessage(name));
      }
      const allowed = narrowed?.get(name) ?? parameter.values;
      throw refuse(
        command,
        decoded.problem === "value" && allowed !== undefined
          ? `-${name} must be one of: ${allowed.join(", ")}.`
          : `-${name} must be ${decoded.problem === "value" ? parameter.expects : decoded.problem}.`,
      );
    }
    if (valueHoldsKey(decoded.texts)) throw refuse(command, holdsKeyMessage(name));
    values.push([name, decoded.value]);
    texts.set(name, decoded.texts);
    recorded.push([
      name,
      parameter.shape === "switch" ? true : parameter.shape === "list" ? decoded.texts : (decoded.texts[0] ?? ""),
    ]);
  }
  if (namesHoldKey([...texts.values()].flat())) throw refuse(command, lineHoldsKeyMessage);
  return {
    values: Object.fromEntries(values) as Values<P>, // each name's value came from that name's own decoder
    texts,
    recorded: Object.fromEntries(recorded),
  };
};

export interface DefinedFacts<P extends Parameters> {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly synopsis: string;
  readonly description: string;
  readonly examples: Facts["examples"];
  readonly forEveryone?: boolean;
  readonly forElevation?: boolean;
  readonly parameters: P;
  /** Rules between parameters: a sentence when they don't go together. */
  readonly conflict?: (values: Values<P>) => string | undefined;
}

const factsOf = <P extends Parameters>(definition: DefinedFacts<P>): Facts => ({
  name: definition.name,
  aliases: definition.aliases ?? [],
  synopsis: definition.synopsis,
  description: definition.description,
  examples: definition.examples,
  forEveryone: definition.forEveryone ?? false,
  forElevation: definition.forElevation ?? false,
});

const checkAll = <P extends Parameters>(
  definition: DefinedFacts<P>,
  raw: RawParameters,
  narrowed?: NarrowedValues,
): Checked<P> => {
  const checked = check(definition.name, definition.parameters, raw, narrowed);
  const conflict = definition.conflict?.(checked.values);
  if (conflict !== undefined) throw refuse(definition.name, conflict);
  return checked;
};

/**
 * Makes a command. `run` stays inside what `bind` returns: nothing can call it with parameters that were not checked.
 */
export const defineCommand = <P extends Parameters>(
  definition: DefinedFacts<P> & {
    /** Whether the answer is rows, which can be shaped; absent means that it never is. */
    readonly answersRows?: (values: Values<P>) => boolean;
    /** Counts the rows that `run` would answer, without showing one: the ceiling of an approval. */
    readonly estimateRows?: (values: Values<P>, context: EstimateContext) => Promise<RowEstimate>;
    readonly run: (values: Values<P>, context: CommandContext) => CommandResult | Promise<CommandResult>;
  },
): CommandDefinition => ({
  ...factsOf(definition),
  kind: "command",
  parameters: new Map(Object.entries(definition.parameters)),
  bind: (raw, narrowed) => {
    const { values, texts, recorded } = checkAll(definition, raw, narrowed);
    const reason = recorded["Reason"];
    const { estimateRows } = definition;
    return {
      command: {
        name: definition.name,
        parameters: recorded,
        reason: typeof reason === "string" ? reason : undefined,
        ...given({ estimateRows: estimateRows && ((context: EstimateContext) => estimateRows(values, context)) }),
        run: async (context) => definition.run(values, context),
      },
      texts,
      answersRows: definition.answersRows?.(values) ?? false,
    };
  },
});

/** Makes a shaping command: rows to rows, before anything is disclosed. */
export const defineShaping = <P extends Parameters>(
  definition: DefinedFacts<P> & { readonly shape: (values: Values<P>, rows: RowsResult) => RowsResult },
): ShapingDefinition => ({
  ...factsOf(definition),
  kind: "shaping",
  parameters: new Map(Object.entries(definition.parameters)),
  bind: (raw) => {
    const { values, texts, recorded } = checkAll(definition, raw);
    const canonical = Object.entries(recorded).map(([name, value]) =>
      value === true ? ` -${name}` : ` -${name} ${Array.isArray(value) ? value.join(",") : String(value)}`,
    );
    return {
      name: definition.name,
      canonical: `${definition.name}${canonical.join("")}`,
      texts,
      apply: (rows) => definition.shape(values, rows),
    };
  },
});
