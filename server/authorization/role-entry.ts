import type { CheckedTexts, CommandDefinition } from "../command/define-command.ts";
import { Refusal } from "../errors.ts";
import type { LineBounds } from "./contract.ts";
import { dashed, entryRules, ruleNames } from "./entry-rules.ts";
import type { RuleName, RuleValue, RuleValues, Violation } from "./entry-rules.ts";
import type { ValueRule } from "./value-rule.ts";

/** One visible command of one role capability, checked against the command's definition. */
export interface RoleEntry {
  readonly roleCapability: string;
  readonly definition: CommandDefinition;
  /** Parameters that may be given, in the definition's spelling and order; with a rule where values are limited. */
  readonly parameters: ReadonlyMap<string, ValueRule | undefined>;
  readonly rules: RuleValues;
  /** Where it stands in the file, for messages of `pep roles`. */
  readonly path: readonly PropertyKey[];
}

export const ruleInWords = (name: string, rule: ValueRule): string => {
  const allowed = rule.set?.filter(rule.allows);
  if (allowed !== undefined) return `-${name} must be one of: ${allowed.join(", ")}.`;
  return `-${name} must match, as a whole, the pattern ${rule.pattern ?? ""} (upper and lower case are the same).`;
};

const judging = ruleNames.filter((name) => entryRules[name].judge !== undefined);

const judgeBy = <K extends RuleName>(
  name: K,
  value: RuleValue<K> | undefined,
  entry: RoleEntry,
  texts: CheckedTexts,
): Violation | undefined => (value === undefined ? undefined : entryRules[name].judge?.violation(value, entry, texts));

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
  for (const name of judging) {
    const violation = judgeBy(name, entry.rules[name], entry, texts);
    if (violation !== undefined) return violation;
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
