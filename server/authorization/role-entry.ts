import type { AnyDefinition, CheckedTexts, CommandDefinition } from "../command/define-command.ts";
import { readSearchPiece } from "../model/search-piece.ts";
import type { ShortestPieces } from "../model/search-piece.ts";
import { Refusal } from "../errors.ts";
import type { LineBounds } from "./contract.ts";
import type { ValueRule } from "./value-rule.ts";

export interface SearchRule extends ShortestPieces {
  readonly rows: number;
  readonly perHour: number;
}

/** One visible command of one role capability, checked against the command's definition. */
export interface RoleEntry {
  readonly roleCapability: string;
  readonly definition: CommandDefinition;
  /** Parameters that may be given, in the definition's spelling and order; with a rule where values are limited. */
  readonly parameters: ReadonlyMap<string, ValueRule | undefined>;
  readonly requireOneOf: readonly string[] | undefined;
  readonly maxRows: number | undefined;
  readonly maxListed: number | undefined;
  /** Different recovery keys within an hour, whatever they were shown by. */
  readonly disclosuresPerHour: number | undefined;
  /** Grants the parameter that searches, within these limits. */
  readonly search: SearchRule | undefined;
  readonly requireReason: boolean;
  /** The reason must be one of those the command suggests. */
  readonly listedReasons: readonly string[] | undefined;
  /** Another person must approve each invocation. */
  readonly requireApproval: boolean;
  /** Where it stands in the file, for messages of `pep roles`. */
  readonly path: readonly PropertyKey[];
}

interface Violation {
  readonly reason: "parameter" | "pattern" | "reason";
  /** A whole sentence, in this user's words: what their role allows. */
  readonly message: string;
}

const dashed = (names: readonly string[]): string => names.map((name) => `-${name}`).join(", ");

export const needsOneOf = (names: readonly string[]): string =>
  names.length === 1 ? `-${names[0] ?? ""} must be given.` : `Give at least one of ${dashed(names)}.`;

export const ruleInWords = (name: string, rule: ValueRule): string => {
  const allowed = rule.set?.filter(rule.allows);
  if (allowed !== undefined) return `-${name} must be one of: ${allowed.join(", ")}.`;
  return `-${name} must match, as a whole, the pattern ${rule.pattern ?? ""} (upper and lower case are the same).`;
};

/** The parameter that searches. An entry has it where it has the rule `search`, and never else (check-entry.ts). */
export const searchParameterOf = ({ parameters }: Pick<AnyDefinition, "parameters">): string | undefined =>
  [...parameters].find(([, { searches }]) => searches === true)?.[0];

/** What a line searches for and by which rule, where it does. */
const searchIn = (
  { definition, search: rule }: RoleEntry,
  texts: CheckedTexts,
): { readonly piece: string; readonly rule: SearchRule } | undefined => {
  const name = searchParameterOf(definition);
  const given = name === undefined ? undefined : texts.get(name);
  return rule === undefined || given === undefined ? undefined : { piece: given[0] ?? "", rule };
};

const isTooShort = ({ piece, rule }: NonNullable<ReturnType<typeof searchIn>>): boolean => {
  const { name, keyId } = readSearchPiece(piece, rule);
  return name === undefined && keyId === undefined;
};

/** Why this entry does not accept an invocation; `undefined` when it accepts all of it. */
const findViolation = (entry: RoleEntry, texts: CheckedTexts): Violation | undefined => {
  const given = [...texts.keys()];
  const excess = given.filter((name) => !entry.parameters.has(name));
  if (excess.length > 0) {
    return { reason: "parameter", message: `${dashed(excess)} can't be given together with the rest.` };
  }
  for (const [name, values] of texts) {
    const rule = entry.parameters.get(name);
    if (rule !== undefined && !values.every(rule.allows))
      return { reason: "pattern", message: ruleInWords(name, rule) };
  }
  const search = searchIn(entry, texts);
  if (search !== undefined && isTooShort(search)) {
    const { minimumNameCharacters: name, minimumIdCharacters: id } = search.rule;
    const message = `A search needs ${name} letters or digits of a computer's name, or ${id} digits of a key id.`;
    return { reason: "pattern", message };
  }
  // The search has limits of its own, and shows no key.
  const { requireOneOf } = entry;
  if (search === undefined && requireOneOf?.every((name) => !texts.has(name)) === true) {
    return { reason: "parameter", message: needsOneOf(requireOneOf) };
  }
  if (entry.requireReason && !texts.has("Reason")) {
    return { reason: "reason", message: "-Reason must be given: say why the keys are needed." };
  }
  const { listedReasons } = entry;
  if (listedReasons !== undefined && texts.get("Reason")?.every((reason) => listedReasons.includes(reason)) !== true) {
    return { reason: "reason", message: `-Reason must be one of: ${listedReasons.join(", ")}.` };
  }
  return undefined;
};

export const accepts = (entry: RoleEntry, texts: CheckedTexts): boolean => findViolation(entry, texts) === undefined;

/** The bounds that the entry's rules set, whether or not the line names their parameters. */
export const keyBoundsOf = ({ definition, parameters }: RoleEntry): LineBounds | undefined => {
  const rules = [...parameters].flatMap(([name, rule]) => {
    const parameter = definition.parameters.get(name);
    if (rule === undefined || parameter?.bounds === undefined) return [];
    return [{ field: parameter.bounds, rule, values: (rule.set ?? parameter.values)?.filter(rule.allows) }];
  });
  if (rules.length === 0) return undefined;
  return {
    allows: Object.fromEntries(
      rules.map(({ field, rule: { allows }, values }) => [
        field,
        { allows, ...(values === undefined ? {} : { values }) },
      ]),
    ),
    text: JSON.stringify(rules.map(({ field, rule: { set, pattern } }) => [field, set ?? null, pattern ?? null])),
  };
};

/**
 * The first entry, in file order, that accepts the whole invocation. Never a mixture: what one entry allows and what
 * another allows do not add up to a line that neither allows.
 *
 * @throws Refusal InvalidArgument, with the rules of this user's roles
 */
export const findAcceptingEntry = (entries: readonly RoleEntry[], texts: CheckedTexts): RoleEntry => {
  const violations: { readonly entry: RoleEntry; readonly violation: Violation }[] = [];
  for (const entry of entries) {
    const violation = findViolation(entry, texts);
    if (violation === undefined) return entry;
    violations.push({ entry, violation });
  }
  const [first, ...others] = violations;
  if (first === undefined) throw new RangeError("a visible command has an entry");
  const message =
    others.length === 0
      ? `Your role ${first.entry.roleCapability} does not allow this: ${first.violation.message}`
      : `None of your roles allows all of this: ${violations
          .map(({ entry, violation }) => `as ${entry.roleCapability}: ${violation.message}`)
          .join(" ")}`;
  throw new Refusal("InvalidArgument", message, {
    reason: first.violation.reason,
    command: first.entry.definition.name,
  });
};
