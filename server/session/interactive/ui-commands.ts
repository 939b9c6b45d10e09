import type { CommandDescription } from "../../command/define-command.ts";
import type { UiCommand } from "../../../ui/protocol.ts";
import { label } from "./labels.ts";

/** What the UI process knows of this user's commands: enough for completion, and nothing it could reveal. */
export const toUiCommands = (commands: readonly CommandDescription[]): UiCommand[] =>
  commands.map(({ name, aliases, synopsis, shaping, parameters }) => ({
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
  }));
