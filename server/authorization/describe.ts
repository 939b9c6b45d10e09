import type { AnyDefinition, CommandDescription, ParameterDescription } from "../command/define-command.ts";
import { given } from "../command/given.ts";
import type { Parameter } from "../command/parameters.ts";
import { approvalParameters } from "./approval-parameters.ts";
import { askRules } from "./entry-rules.ts";
import { ruleInWords } from "./role-entry.ts";
import type { RoleEntry } from "./role-entry.ts";

/** Parameters that at least one of the entries grants, in the definition's order. */
export const visibleParameters = (
  definition: AnyDefinition,
  entries: readonly RoleEntry[],
): ReadonlyMap<string, Parameter<unknown>> =>
  definition.forEveryone
    ? definition.parameters
    : new Map([
        ...[...definition.parameters].filter(([name]) => entries.some((entry) => entry.parameters.has(name))),
        ...(entries.some(({ rules }) => rules.requireApproval) ? approvalParameters : []),
      ]);

/** The values that some entry allows; `undefined` where one of them allows any text. */
export const narrowedValues = (
  name: string,
  parameter: Parameter<unknown>,
  entries: readonly RoleEntry[],
): readonly string[] | undefined => {
  const allowed: string[] = [];
  for (const { parameters } of entries) {
    if (!parameters.has(name)) continue;
    const rule = parameters.get(name);
    const values = rule?.set ?? parameter.values;
    if (values === undefined) return undefined;
    allowed.push(...values.filter((value) => rule?.allows(value) ?? true));
  }
  if (allowed.length === 0) return parameter.values;
  return [...new Set(allowed)];
};

const plainly = (name: string, parameter: Parameter<unknown>): ParameterDescription => ({
  name,
  synopsis: parameter.synopsis,
  kind: parameter.shape,
  placeholder: parameter.placeholder,
  expects: parameter.expects,
});

const describeParameter = (
  name: string,
  parameter: Parameter<unknown>,
  entries: readonly RoleEntry[],
): ParameterDescription => {
  const rules = entries.filter(({ parameters }) => parameters.has(name)).map(({ parameters }) => parameters.get(name));
  const values = narrowedValues(name, parameter, entries);
  const patterns = [...new Set(rules.flatMap((rule) => rule?.pattern ?? []))];
  const everyRuleHasOne = rules.length > 0 && rules.every((rule) => rule?.pattern !== undefined);
  return {
    ...plainly(name, parameter),
    ...(values === undefined ? {} : { values }),
    // Where the set of values is known, it is narrowed by the pattern already.
    ...(everyRuleHasOne && values === undefined ? { patterns } : {}),
    ...(parameter.suggestions === undefined || values !== undefined ? {} : { suggestions: parameter.suggestions }),
    ...(parameter.position === undefined ? {} : { position: parameter.position }),
    ...(parameter.required ? { required: true } : {}),
  };
};

/** Each rule of an entry in words. Value rules stand with their parameter, unless entries differ. */
export const rulesInWords = (entry: RoleEntry, withValueRules: boolean): string[] => [
  ...askRules(entry, (rule, value) => rule.sentence(value, entry)),
  ...[...entry.parameters].flatMap(([name, rule]) =>
    rule === undefined || entry.definition.parameters.get(name)?.bounds === undefined
      ? []
      : [`Keys outside the rule on -${name} are not found, whether or not you give it.`],
  ),
  ...(withValueRules
    ? [...entry.parameters].flatMap(([name, rule]) => (rule === undefined ? [] : [ruleInWords(name, rule)]))
    : []),
];

const rulesOf = (entries: readonly RoleEntry[]): string[] => {
  const [only, ...others] = entries;
  if (only === undefined) return [];
  if (others.length === 0) return rulesInWords(only, false);
  return entries.map((entry) => {
    const names = [...entry.parameters.keys()].map((name) => `-${name}`).join(", ");
    const rules = rulesInWords(entry, true)
      .map((rule) => ` ${rule}`)
      .join("");
    return `As ${entry.roleCapability}, with ${names === "" ? "no parameters" : names}:${rules === "" ? " no further rule." : rules}`;
  });
};

const shortestPieces = (entries: readonly RoleEntry[]): CommandDescription["search"] => {
  const searches = entries.flatMap(({ rules: { search } }) => search ?? []);
  if (searches.length === 0) return undefined;
  return {
    minimumNameCharacters: Math.min(...searches.map((search) => search.minimumNameCharacters)),
    minimumIdCharacters: Math.min(...searches.map((search) => search.minimumIdCharacters)),
  };
};

const wantedReason = (entries: readonly RoleEntry[]): CommandDescription["reason"] => {
  const wanted = entries.map(({ rules: { requireReason } }) => requireReason);
  if (wanted.length === 0 || wanted.includes(undefined)) return undefined;
  return wanted.includes(true) ? "any" : "listed";
};

/** What help, completion and Get-Command show of one command to one user. */
export const describeCommand = (
  definition: AnyDefinition,
  entries: readonly RoleEntry[],
  mayRun: (line: string) => boolean,
  through: (roleCapability: string) => string,
): CommandDescription => ({
  name: definition.name,
  aliases: definition.aliases,
  synopsis: definition.synopsis,
  shaping: definition.kind === "shaping",
  description: definition.description,
  examples: definition.examples.filter(({ line }) => mayRun(line)),
  parameters: [...visibleParameters(definition, entries)].map(([name, parameter]) =>
    describeParameter(name, parameter, entries),
  ),
  rules: rulesOf(entries),
  grants: definition.forEveryone
    ? [
        {
          roleCapability: "default",
          through: "everyone who may connect",
          parameters: [...definition.parameters.keys()],
          rules: [],
        },
      ]
    : entries.map((entry) => ({
        roleCapability: entry.roleCapability,
        through: through(entry.roleCapability),
        parameters: [...entry.parameters.keys(), ...(entry.rules.requireApproval ? approvalParameters.keys() : [])],
        rules: rulesInWords(entry, true),
      })),
  ...given({ search: shortestPieces(entries), reason: wantedReason(entries) }),
});
