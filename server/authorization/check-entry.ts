import type { AnyDefinition } from "../command/define-command.ts";
import type { Parameter } from "../command/parameters.ts";
import { entryRules, mapRules, ruleNames } from "./entry-rules.ts";
import type { RuleCheck, RuleName, RuleValue, RuleValues, WrittenRules } from "./entry-rules.ts";
import type { RoleEntry } from "./role-entry.ts";
import type { RolesFile } from "./roles-schema.ts";
import { makeValueRule, sameText } from "./value-rule.ts";
import type { ValueRule } from "./value-rule.ts";

type RawEntry = RolesFile["roleCapabilities"][string]["visibleCommands"][number];
type RawParameter = NonNullable<Exclude<RawEntry, string>["parameters"]>[number];
type Path = readonly PropertyKey[];

/** Notes a problem at a path; checking goes on, so that an author sees all of them at once. */
export type Complain = (path: Path, message: string) => void;

const nameOf = (raw: string | { readonly name: string }): string => (typeof raw === "string" ? raw : raw.name);
const nameThere = (raw: string | object, path: Path): Path => (typeof raw === "string" ? path : [...path, "name"]);

const findParameter = (
  parameters: ReadonlyMap<string, Parameter<unknown>>,
  name: string,
): readonly [string, Parameter<unknown>] | undefined => [...parameters].find(([own]) => sameText(own, name));

/** Set values in the spelling that the command's own decoder gives: `{24b0…}` and `24B0…` are one key id. */
const canonicalSet = (
  parameter: Parameter<unknown>,
  set: readonly string[],
  path: Path,
  complain: Complain,
): readonly string[] =>
  set.flatMap((text, index) => {
    const decoded = parameter.decode(text);
    if (!("problem" in decoded)) return decoded.texts;
    complain([...path, index], `is no value of this parameter: it must be ${parameter.expects}.`);
    return [];
  });

const checkValueRule = (
  parameter: Parameter<unknown>,
  raw: Exclude<RawParameter, string>,
  path: Path,
  complain: Complain,
): ValueRule | undefined => {
  if (raw.validateSet === undefined && raw.validatePattern === undefined) return undefined;
  if (parameter.shape === "switch") {
    complain(path, "is a switch: it has no value that a set or pattern could limit.");
    return undefined;
  }
  const set =
    raw.validateSet === undefined
      ? undefined
      : canonicalSet(parameter, raw.validateSet, [...path, "validateSet"], complain);
  let rule: ValueRule;
  try {
    rule = makeValueRule(set, raw.validatePattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    complain(
      [...path, "validatePattern"],
      `is no regular expression of RE2 (it has no look-around and no back references): ${why}.`,
    );
    return undefined;
  }
  const known = set ?? parameter.values;
  if (known !== undefined && known.length > 0 && !known.some(rule.allows)) {
    complain([...path, "validatePattern"], "matches none of the values that are possible, so nothing is allowed.");
  }
  return rule;
};

const checkParameters = (
  definition: AnyDefinition,
  raw: readonly RawParameter[] | undefined,
  path: Path,
  complain: Complain,
): ReadonlyMap<string, ValueRule | undefined> => {
  if (raw === undefined) {
    const ordinary = [...definition.parameters].filter(([, { restricted }]) => !restricted);
    return new Map(ordinary.map(([name]) => [name, undefined]));
  }
  const rules = new Map<string, ValueRule | undefined>();
  raw.forEach((one, index) => {
    const here = [...path, "parameters", index];
    const found = findParameter(definition.parameters, nameOf(one));
    if (found === undefined) {
      const names = [...definition.parameters.keys()].join(", ");
      complain(nameThere(one, here), `${definition.name} has no parameter ${nameOf(one)}. It has: ${names}.`);
      return;
    }
    const [name, parameter] = found;
    if (rules.has(name))
      complain(nameThere(one, here), `${name} is listed twice; write it once, or write two entries.`);
    rules.set(name, typeof one === "string" ? undefined : checkValueRule(parameter, one, here, complain));
  });
  for (const [name, { required }] of definition.parameters) {
    if (required && !rules.has(name)) {
      complain([...path, "parameters"], `${definition.name} can't be run without ${name}: list it too.`);
    }
  }
  return rules;
};

const isWritten = <T>(rule: T | false | undefined): rule is T => rule !== undefined && rule !== false;

/** A parameter that a rule grants: neither is there without the other. */
const withGranted = (
  definition: AnyDefinition,
  written: WrittenRules,
  listed: RoleEntry["parameters"],
  complain: Complain,
): RoleEntry["parameters"] => {
  const parameters = new Map(listed);
  for (const rule of ruleNames) {
    const name = entryRules[rule].grants?.(definition);
    if (name === undefined) continue;
    if (!isWritten(written[rule])) {
      if (listed.has(name))
        complain(["parameters"], `${name} is granted by the rule ${rule}, which this entry does not have.`);
    } else if (!listed.has(name)) parameters.set(name, undefined);
  }
  return parameters;
};

const checkRule = <K extends RuleName>(
  name: K,
  written: WrittenRules,
  entry: Pick<RuleCheck, "definition" | "parameters">,
  complain: Complain,
): RuleValue<K> | undefined => {
  const rule = entryRules[name];
  const raw: RuleValue<K> | false | undefined = written[name] ?? rule.leftOut?.(written);
  if (!isWritten(raw)) return undefined;
  if (rule.check === undefined) return raw;
  return rule.check(raw, { ...entry, written, complain: (message, ...within) => complain([name, ...within], message) });
};

/**
 * One entry of `visibleCommands`, checked against the command it names.
 *
 * @returns `undefined` when it grants nothing: a mistake was noted, or it names a command that everyone has
 */
export const checkEntry = (
  raw: RawEntry,
  { roleCapability, path }: Pick<RoleEntry, "roleCapability" | "path">,
  commands: readonly AnyDefinition[],
  complain: Complain,
): RoleEntry | undefined => {
  const wanted = nameOf(raw);
  const definition = commands.find(({ name }) => sameText(name, wanted));
  if (definition === undefined) {
    const aliased = commands.find(({ aliases }) => aliases.some((alias) => sameText(alias, wanted)));
    complain(
      nameThere(raw, path),
      aliased === undefined
        ? `there is no command ${wanted}.`
        : `${wanted} is another name of ${aliased.name}; write ${aliased.name}, which grants both.`,
    );
    return undefined;
  }
  if (definition.forEveryone || definition.kind === "shaping") {
    if (typeof raw !== "string" && Object.keys(raw).length > 1) {
      complain(path, `${definition.name} belongs to everyone who may connect; a role can't limit it.`);
    }
    return undefined;
  }
  const limits = typeof raw === "string" ? { name: raw } : raw;
  const complainHere: Complain = (within, message) => complain([...path, ...within], message);
  const listed = checkParameters(definition, limits.parameters, path, complain);
  const parameters = withGranted(definition, limits, listed, complainHere);
  const rules = mapRules<RuleValues>((name) => checkRule(name, limits, { definition, parameters }, complainHere));
  return { roleCapability, definition, parameters, rules, path };
};
