import type { UiCommand, UiLookUp } from "../../../ui/protocol.ts";
import type { CommandDescription } from "../../command/define-command.ts";
import { given } from "../../command/given.ts";
import { printable, withoutPrivateUse } from "../../model/harmless-text.ts";
import type { Outcome } from "../delivery.ts";
import { plural } from "../../model/plural.ts";

/*
 * Texts of ours, made safe for a screen: each may quote foreign text.
 */

/**
 * Stands before everything the server itself paints. The painter takes it out of what a UI process writes, so where a
 * user sees it, the server asks or speaks.
 */
export const trustedMark = "◆";

/** A text of one line that may quote foreign text, safe for a screen. */
export const label = (text: string): string => printable(withoutPrivateUse(text));

/** Text of ours that may quote foreign text, safe for a screen; its lines stay. */
export const screenText = (text: string): string => withoutPrivateUse(text).split(/\r?\n/).map(printable).join("\n");

/** By key id, never by key; what an id looks like is the site database's business, so it is made printable. */
export const disclosureLabel = (keyIds: readonly string[]): string => `disclosed ${keyIds.map(printable).join(" ")}`;

/** What a transcript's boundary says: the command by name, never what was typed. */
export const boundaryLabel = ({ command, exitStatus, rowCount }: Outcome): string =>
  `${command ?? "refused line"}: exit status ${exitStatus}, ${plural(rowCount, "row")}`;

/** Nothing where the user may not search, or could do nothing with a key id that was found. */
const lookUpOf = ({ search, parameters, reason: wanted }: CommandDescription): UiLookUp | undefined => {
  if (search === undefined || !parameters.some(({ name }) => name === "RecoveryKeyId")) return undefined;
  const reason = parameters.find(({ name }) => name === "Reason");
  if (reason === undefined) return search;
  const offered = (reason.values ?? reason.suggestions ?? []).map(label);
  const isListed = wanted === "listed" || reason.values !== undefined;
  return { ...search, reason: { offered, isNeeded: wanted !== undefined, isListed } };
};

/** What the UI process knows of this user's commands: enough for completion, and nothing it could reveal. */
export const toUiCommands = (commands: readonly CommandDescription[]): UiCommand[] =>
  commands.map((command) => {
    const { name, aliases, synopsis, shaping, parameters } = command;
    return {
      name: label(name),
      aliases: aliases.map(label),
      synopsis: label(synopsis),
      shaping,
      parameters: parameters.map((parameter) => ({
        name: label(parameter.name),
        synopsis: label(parameter.synopsis),
        kind: parameter.kind,
        placeholder: label(parameter.placeholder),
        ...(parameter.values === undefined ? {} : { values: parameter.values.map(label) }),
      })),
      ...given({ lookUp: lookUpOf(command) }),
    };
  });
