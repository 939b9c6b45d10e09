import type { AnyDefinition, BoundShaping, CommandDefinition, NarrowedValues } from "../command/define-command.ts";
import type { CommandDescription } from "../command/command-description.ts";
import type { RawParameters, RawValue } from "../command/parameters.ts";
import { requestId } from "../command/parameter-kinds.ts";
import { Refusal } from "../errors.ts";
import { parseCommandLine } from "../command-line/parse.ts";
import type { Stage } from "../command-line/parse.ts";
import { notRecognised, refusePipe } from "../command-line/refusals.ts";
import { bindParameters } from "./bind-parameters.ts";
import { closestNames } from "./closest-names.ts";
import { canonicalInvocation } from "./canonical-invocation.ts";
import type { BoundLine, VisibleCommands } from "./contract.ts";
import { describeCommand, narrowedValues, visibleParameters } from "./describe.ts";
import { findAcceptingEntry, keyBoundsOf } from "./role-entry.ts";
import type { RoleEntry } from "./role-entry.ts";
import { withSecondReading } from "./second-reading.ts";

/** Every command there is, as one user sees it: an empty grant is a hidden command. */
interface Grant {
  readonly definition: AnyDefinition;
  readonly visible: boolean;
  readonly entries: readonly RoleEntry[];
  readonly parameters: ReturnType<typeof visibleParameters>;
  readonly narrowed: NarrowedValues;
}

const grantOf = (definition: AnyDefinition, entries: readonly RoleEntry[], visible: boolean): Grant => {
  const parameters = visibleParameters(definition, entries);
  return {
    definition,
    visible,
    entries,
    parameters,
    narrowed: new Map(
      [...parameters].flatMap(([name, parameter]) => {
        const values = definition.forEveryone ? parameter.values : narrowedValues(name, parameter, entries);
        return values === undefined ? [] : [[name, values] as const];
      }),
    ),
  };
};

/** `-?` anywhere; `-Help`, `-h` and `/?` where nothing else stands. */
const asksForHelp = ({ words }: Stage): boolean =>
  words.some((word) => word.kind === "parameter" && word.name === "?") ||
  (words.length === 1 &&
    words.every((word) =>
      word.kind === "parameter"
        ? word.attached === undefined && /^(?:help|h)$/i.test(word.name)
        : word.value === "/?" || word.value === "/help",
    ));

/** What a line says of its own approval. */
interface AskedApproval {
  readonly requestId?: string;
  readonly wait: boolean;
}

/** Parts what a line says of its own approval from what would be approved. */
const takeApproval = (
  definition: CommandDefinition,
  given: RawParameters,
): { readonly raw: RawParameters; readonly asked: AskedApproval | undefined } => {
  const raw = new Map(given);
  const own = (name: string): RawValue | undefined => {
    if (definition.parameters.has(name)) return undefined;
    const value = raw.get(name);
    raw.delete(name);
    return value;
  };
  const [rawId, wait] = [own("RequestId"), own("Wait")];
  if (rawId === undefined) return { raw, asked: wait === undefined ? undefined : { wait: true } };
  const decoded = typeof rawId === "string" ? requestId.decode(rawId) : undefined;
  if (decoded === undefined || "problem" in decoded) {
    throw new Refusal("InvalidArgument", `-RequestId must be ${requestId.expects}.`, {
      reason: "parameter",
      command: definition.name,
    });
  }
  return { raw, asked: { requestId: decoded.value, wait: wait !== undefined } };
};

const unlessRefused = (bind: () => BoundLine): BoundLine | undefined => {
  try {
    return bind();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
};

/** What a line says more than its command has a use for. */
const refuseUnused = (command: string, unused: { readonly approval: boolean; readonly pipe: boolean }): void => {
  if (unused.approval) {
    throw new Refusal("InvalidArgument", "This needs no approval: leave -RequestId and -Wait out.", {
      reason: "parameter",
      command,
    });
  }
  if (unused.pipe) {
    throw new Refusal("InvalidArgument", "This answers no rows, so there is nothing for a pipe to take.", {
      reason: "syntax",
      command,
    });
  }
};

/** The terms on which an entry grants a line; a command that everyone has stands under none. */
const termsOf = (
  entry: RoleEntry | undefined,
  { command, texts }: Pick<ReturnType<CommandDefinition["bind"]>, "command" | "texts">,
  shaping: readonly BoundShaping[],
  asked: AskedApproval | undefined,
): Omit<BoundLine, "command" | "shaping"> => {
  if (entry === undefined) return everyonesTerms;
  const { roleCapability, rules } = entry;
  const keyBounds = keyBoundsOf(entry);
  const approvalOf = (): BoundLine["approval"] => ({
    ...canonicalInvocation(command, texts, shaping, { roleCapability, keyBounds }),
    requestId: asked?.requestId,
    wait: asked?.wait ?? false,
  });
  return {
    ...rules,
    roleCapability,
    approval: rules.requireApproval ? approvalOf() : undefined,
    keyBounds,
  };
};

const everyonesTerms: Omit<BoundLine, "command" | "shaping"> = {
  roleCapability: "default",
  approval: undefined,
  keyBounds: undefined,
};

/**
 * Makes one user's commands: a map from every name and alias to what the roles grant.
 *
 * @param entries the user's role entries in file order
 * @param mayConnect false when the user does not meet `requiredGroups`: then not even the default commands exist
 * @param through what gives this user a role, in words
 */
export const makeVisibleCommands = (
  definitions: readonly AnyDefinition[],
  entries: readonly RoleEntry[],
  mayConnect: boolean,
  through: (roleCapability: string) => string,
): VisibleCommands => {
  const grants = definitions.map((definition) => {
    const own = mayConnect ? entries.filter((entry) => entry.definition === definition) : [];
    return grantOf(definition, own, mayConnect && (definition.forEveryone || own.length > 0));
  });
  const byName = new Map(
    grants.flatMap((grant) =>
      [grant.definition.name, ...grant.definition.aliases].map((name) => [name.toLowerCase(), grant] as const),
    ),
  );

  const visibleNames = grants.filter(({ visible }) => visible).map(({ definition }) => definition.name);

  /** Hidden and unknown take the same way: one look into one map, one refusal made of the same words and of this user's commands. */
  const findGrant = (name: string): Grant => {
    const grant = byName.get(name.toLowerCase());
    if (grant === undefined || !grant.visible) {
      throw notRecognised(
        grant === undefined ? { reason: "unknown" } : { reason: "hidden", command: grant.definition.name },
        closestNames(name, visibleNames),
      );
    }
    return grant;
  };

  const bindShaping = (stage: Stage): BoundShaping => {
    const grant = byName.get(stage.name.toLowerCase());
    if (grant?.definition.kind !== "shaping" || !grant.visible) throw refusePipe(stage.name);
    return grant.definition.bind(bindParameters(grant.definition.name, grant.parameters, stage.words));
  };

  const bindStages = ([first, ...rest]: readonly [Stage, ...Stage[]]): BoundLine => {
    const grant = findGrant(first.name);
    const { definition, parameters, narrowed } = grant;
    if (asksForHelp(first)) {
      return bindStages([{ name: "Get-Help", words: [{ kind: "value", value: definition.name }] }, ...rest]);
    }
    if (definition.kind === "shaping") {
      throw new Refusal(
        "InvalidArgument",
        `${definition.name} stands after a pipe: Get-Command | ${definition.name}.`,
        { reason: "syntax", command: definition.name },
      );
    }
    const { raw, asked } = takeApproval(definition, bindParameters(definition.name, parameters, first.words));
    const bound = definition.bind(raw, narrowed);
    const entry = definition.forEveryone ? undefined : findAcceptingEntry(grant.entries, bound.texts);
    const shaping = rest.map(bindShaping);
    refuseUnused(definition.name, {
      approval: asked !== undefined && entry?.rules.requireApproval !== true,
      pipe: shaping.length > 0 && !bound.answersRows,
    });
    const read = { raw, words: first.words, command: bound.command };
    const command = entry === undefined ? bound.command : withSecondReading(definition, read, entry);
    return { command, shaping, ...termsOf(entry, bound, shaping, asked) };
  };

  const bindLine = (line: string): BoundLine => bindStages(parseCommandLine(line));

  const bindIfAllowed = (line: string): BoundLine | undefined => unlessRefused(() => bindLine(line));

  const mayRun = (line: string): boolean => bindIfAllowed(line) !== undefined;

  let descriptions: readonly CommandDescription[] | undefined;
  return {
    // Made when asked for: a script's one line needs none of them.
    get descriptions() {
      return (descriptions ??= grants
        .filter(({ visible }) => visible)
        .map(({ definition, entries: own }) => describeCommand(definition, own, mayRun, through)));
    },
    bindLine,
    bindIfAllowed,
  };
};
