import * as z from "zod";
import type { AnyDefinition, CheckedTexts, CommandDefinition } from "../command/define-command.ts";
import { plural } from "../model/plural.ts";
import { readSearchPiece } from "../model/search-piece.ts";
import type { RoleEntry } from "./role-entry.ts";
import { sameText } from "./value-rule.ts";

export interface Violation {
  readonly reason: "parameter" | "pattern" | "reason";
  /** A whole sentence, in this user's words: what their role allows. */
  readonly message: string;
}

/** What a rule is checked against when the file is read. */
export interface RuleCheck {
  readonly definition: CommandDefinition;
  /** What the entry grants, its rules included. */
  readonly parameters: RoleEntry["parameters"];
  /** All rules of the entry. */
  readonly written: WrittenRules;
  /** Notes a mistake at the rule's own place in the file, or within it. */
  readonly complain: (message: string, ...within: readonly PropertyKey[]) => void;
}

/** All that is said of one rule of an entry; its key is its name in the table below. */
interface EntryRule<V> {
  /** As it is written, with the description for editors and docs/reference/roles.md. `false` is the same as left out. */
  readonly schema: z.ZodType<V | false>;
  /** A parameter of the command that this rule grants, and nothing else does. */
  readonly grants?: (definition: Pick<AnyDefinition, "parameters">) => string | undefined;
  /** Complains of what can't be meant. @returns what counts; without a check it is what is written */
  readonly check?: (written: V, about: RuleCheck) => V;
  /** What counts where it is not written. */
  readonly leftOut?: (written: WrittenRules) => V | false | undefined;
  /** The rule in words, for its holders; nothing where another rule's sentence says it. */
  readonly sentence: (value: V, entry: RoleEntry) => string | undefined;
  /** Absent where the rule refuses no line, but its rows, or waits for another person. */
  readonly judge?: {
    readonly violation: (value: V, entry: RoleEntry, texts: CheckedTexts) => Violation | undefined;
    /** Whether every line that a later entry's rule lets through passes this one, too. */
    readonly covers: (value: V, later: V | undefined) => boolean;
  };
  /** Parameters that no accepted line leaves out. */
  readonly needs?: (value: V) => readonly string[];
  /** Whether it stands between its holders and every key of the site at once. */
  readonly guardsKeys: boolean;
  /** What is allowed and still probably not meant. */
  readonly warning?: (value: V, entry: RoleEntry) => string | undefined;
}

export const commandOrParameterName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, "must be a name, without wildcards");

export const dashed = (names: readonly string[]): string => names.map((name) => `-${name}`).join(", ");

const needsOneOf = (names: readonly string[]): string =>
  names.length === 1 ? `-${names[0] ?? ""} must be given.` : `Give at least one of ${dashed(names)}.`;

const requireOneOf: EntryRule<readonly string[]> = {
  schema: z.array(commandOrParameterName).min(1).max(50).describe("At least one of these parameters must be given."),
  check: (written, { definition, parameters, complain }) =>
    written.flatMap((wanted, index) => {
      const name = [...definition.parameters.keys()].find((own) => sameText(own, wanted));
      if (name === undefined) complain(`${definition.name} has no parameter ${wanted}.`, index);
      else if (!parameters.has(name)) complain(`${name} is not among the parameters that this entry allows.`, index);
      return name ?? [];
    }),
  sentence: needsOneOf,
  judge: {
    violation: (names, entry, texts) =>
      // The search has limits of its own, and shows no key.
      names.some((name) => texts.has(name)) || pieceIn(entry, texts) !== undefined
        ? undefined
        : { reason: "parameter", message: needsOneOf(names) },
    covers: (names, later) => later !== undefined && later.every((one) => names.some((other) => sameText(one, other))),
  },
  needs: (names) => (new Set(names).size === 1 ? names : []),
  guardsKeys: true,
};

const searchParameterOf = ({ parameters }: Pick<AnyDefinition, "parameters">): string | undefined =>
  [...parameters].find(([, { searches }]) => searches === true)?.[0];

/** What a line searches for, where it does. */
const pieceIn = ({ definition }: RoleEntry, texts: CheckedTexts): string | undefined => {
  for (const [name, given] of texts) if (definition.parameters.get(name)?.searches === true) return given[0] ?? "";
  return undefined;
};

const searchRule = z.strictObject({
  minimumNameCharacters: z
    .number()
    .int()
    .min(2)
    .max(64)
    .default(3)
    .describe("Letters and digits that a part of a name must have. Left out: 3."),
  minimumIdCharacters: z
    .number()
    .int()
    .min(3)
    .max(32)
    .default(4)
    .describe("Digits that a part of a key id must have. Left out: 4."),
  rows: z.number().int().min(1).max(100).default(10).describe("Keys listed at most. Left out: 10."),
  perHour: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe("Searches of one person within an hour, all sessions together. Left out: 200."),
});

const search: EntryRule<Readonly<z.infer<typeof searchRule>>> = {
  schema: searchRule.describe(
    "Grants -Search: keys listed by a part of a name or id, never shown. A name without keys is answered with close ones. Left out: none. Not with requireApproval.",
  ),
  grants: searchParameterOf,
  check: (rule, { definition, parameters, written, complain }) => {
    const name = searchParameterOf(definition);
    if (name === undefined) {
      complain(`${definition.name} has nothing to search with.`);
      return rule;
    }
    if (written.requireApproval === true)
      complain("does not go together with requireApproval: an approver would approve what nobody knows yet.");
    if (parameters.get(name) !== undefined)
      complain(`bounds what is searched for; write ${name} without a set and a pattern.`);
    return rule;
  },
  sentence: ({ rows, perHour, minimumNameCharacters, minimumIdCharacters }) =>
    `A search lists at most ${plural(rows, "key")} and shows no recovery key. ` +
    `It needs ${minimumNameCharacters} letters or digits of a name, or ${minimumIdCharacters} of a key id. ` +
    `${perHour} ${perHour === 1 ? "search" : "searches"} an hour. A name without keys is answered with close ones, which takes one or two of them.`,
  judge: {
    violation: (rule, entry, texts) => {
      const piece = pieceIn(entry, texts);
      if (piece === undefined) return undefined;
      const { name, keyId } = readSearchPiece(piece, rule);
      if (name !== undefined || keyId !== undefined) return undefined;
      const { minimumNameCharacters: characters, minimumIdCharacters: digits } = rule;
      const message = `A search needs ${characters} letters or digits of a computer's name, or ${digits} digits of a key id.`;
      return { reason: "pattern", message };
    },
    // By the pieces that are taken: how many rows a search lists makes no line one that an entry accepts.
    covers: (rule, later) =>
      later === undefined ||
      (rule.minimumNameCharacters <= later.minimumNameCharacters &&
        rule.minimumIdCharacters <= later.minimumIdCharacters),
  },
  guardsKeys: false,
};

const reasonsOf = ({ parameters }: CommandDefinition): readonly string[] => parameters.get("Reason")?.suggestions ?? [];
const oneOfReasons = (definition: CommandDefinition): string =>
  `-Reason must be one of: ${reasonsOf(definition).join(", ")}.`;

const requireReason: EntryRule<true | "listed"> = {
  schema: z
    .union([z.boolean(), z.literal("listed")])
    .describe('-Reason must be given; "listed": and be one of those that the command suggests.'),
  check: (written, { definition, parameters, complain }) => {
    if (written === "listed" && reasonsOf(definition).length === 0)
      complain(`${definition.name} has no list of reasons; write true for any words.`);
    if (!parameters.has("Reason"))
      complain(`${definition.name} can't be given a Reason by this entry, so it could never be run.`);
    return written;
  },
  sentence: (which, { definition }) => (which === "listed" ? oneOfReasons(definition) : "-Reason must be given."),
  judge: {
    violation: (which, entry, texts) => {
      const { definition } = entry;
      const given = texts.get("Reason");
      // A search shows no key: the reason is one for showing what was found.
      if (given === undefined && pieceIn(entry, texts) !== undefined) return undefined;
      if (given === undefined)
        return { reason: "reason", message: "-Reason must be given: say why the keys are needed." };
      if (which !== "listed") return undefined;
      const listed = reasonsOf(definition);
      return given.every((reason) => listed.includes(reason))
        ? undefined
        : { reason: "reason", message: oneOfReasons(definition) };
    },
    covers: (which, later) => later === "listed" || later === which,
  },
  needs: () => ["Reason"],
  guardsKeys: true,
};

const requireApproval: EntryRule<true> = {
  schema: z.boolean().describe("Another person must approve each invocation (Request-Elevation, Approve-Elevation)."),
  check: (written, { definition, complain }) => {
    if (definition.forElevation) complain(`${definition.name} is how approval works; it can't need approval itself.`);
    return written;
  },
  sentence: () =>
    "Another person must approve each invocation, with the rows it then has; give -Wait, or -RequestId once approved.",
  guardsKeys: true,
};

const atMost = z.number().int().min(1).max(10_000);
const mostRows = (rows: number, which: string): string =>
  `At most ${plural(rows, "row")}${which} at a time; when there are more, none is shown.`;

const maxRows: EntryRule<number> = {
  schema: atMost.describe(
    "An answer with more keys than this is refused. With a pipe, what comes out of the pipe is counted.",
  ),
  sentence: (rows, { rules }) => mostRows(rows, rows === rules.maxListed ? "" : " with a key"),
  guardsKeys: true,
};

const maxListed: EntryRule<number> = {
  schema: atMost.describe("The same for rows without keys. Left out: maxRows."),
  leftOut: ({ maxRows: rows }) => rows,
  sentence: (rows, { rules }) => (rows === rules.maxRows ? undefined : mostRows(rows, " without a key")),
  guardsKeys: false,
};

const disclosuresPerHour: EntryRule<number> = {
  schema: atMost.describe(
    "A user sees at most this many different recovery keys within an hour, over all commands. Left out: no limit.",
  ),
  sentence: (most) => `At most ${most} different recovery keys an hour, over all commands and roles.`,
  guardsKeys: true,
  warning: (most, { rules: { maxRows: rows } }) =>
    rows !== undefined && most < rows
      ? `an answer of more than ${most} keys is never shown, although maxRows is ${rows}: disclosuresPerHour counts it too.`
      : undefined,
};

/** Lines are judged, and rules told, in this order. */
const table = {
  requireOneOf,
  search,
  requireReason,
  requireApproval,
  maxRows,
  maxListed,
  disclosuresPerHour,
};

type Values = { readonly [K in keyof typeof table]: (typeof table)[K] extends EntryRule<infer V> ? V : never };
export type RuleName = keyof Values;
export type RuleValue<K extends RuleName> = Values[K];

/** The rules that an entry has. */
export type RuleValues = { readonly [K in RuleName]?: RuleValue<K> | undefined };
export type WrittenRules = { readonly [K in RuleName]?: RuleValue<K> | false | undefined };

// `Object.keys` can't tell its names, but the table has no others.
export const ruleNames = Object.keys(table) as readonly RuleName[];

export const entryRules: { readonly [K in RuleName]: EntryRule<RuleValue<K>> } = table;

export const mapRules = <T extends { readonly [K in RuleName]?: unknown }>(make: (name: RuleName) => T[RuleName]): T =>
  // `Object.fromEntries` forgets what stands at which name.
  Object.fromEntries(ruleNames.map((name) => [name, make(name)])) as T;

/** The keys of an entry in the file; each may be left out. */
export const ruleSchemas = mapRules<{ readonly [K in RuleName]: z.ZodOptional<z.ZodType<RuleValue<K> | false>> }>(
  (name) => entryRules[name].schema.optional(),
);

type Ask<T> = <K extends RuleName>(rule: EntryRule<RuleValue<K>>, value: RuleValue<K>, name: K) => T | undefined;

const askRule = <K extends RuleName, T>(name: K, value: RuleValue<K> | undefined, ask: Ask<T>): T | undefined =>
  value === undefined ? undefined : ask(entryRules[name], value, name);

/** Asks each rule that an entry has, in order. @returns the answers that there are */
export const askRules = <T>({ rules }: Pick<RoleEntry, "rules">, ask: Ask<T>): T[] =>
  ruleNames.flatMap((name) => {
    const answer = askRule(name, rules[name], ask);
    return answer === undefined ? [] : [answer];
  });
