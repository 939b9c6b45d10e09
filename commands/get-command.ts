import { EndpointError } from "../server/errors.ts";
import { text } from "../server/command/parameter-kinds.ts";
import { list } from "../server/command/parameters.ts";
import { columnsOf, rowsCommand } from "../server/command/rows-command.ts";

/**
 * Whole-name match without case, `*` for any text. By pieces, not by a regular expression made of typed text: each piece
 * is searched once from where the last one ended, so stars can't multiply the work.
 */
const matchesWildcard = (pattern: string, name: string): boolean => {
  const pieces = pattern.toLowerCase().split("*");
  const lower = name.toLowerCase();
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return lower === first;
  const last = pieces.at(-1) ?? "";
  if (!lower.startsWith(first) || !lower.endsWith(last) || lower.length < first.length + last.length) return false;
  let from = first.length;
  const end = lower.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const at = lower.indexOf(piece, from);
    if (at < 0 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return true;
};

export const getCommand = rowsCommand({
  name: "Get-Command",
  aliases: ["gcm"],
  synopsis: "Lists the commands you can run.",
  description: "Lists every command that your roles let you run, and no other.",
  examples: [
    { line: "Get-Command", explains: "Every command you can run." },
    { line: "Get-Command *-Object", explains: "Commands whose names end with -Object." },
  ],
  forEveryone: true,
  parameters: {
    Name: list(
      text({
        placeholder: "<name>",
        expects: "a command's name; * stands for any text",
        fits: /^[A-Za-z0-9*-]{1,64}$/,
      }),
      { synopsis: "Only commands of these names; * stands for any text.", position: 0 },
    ),
  },
  columns: columnsOf({ Name: 18, Aliases: 20, Synopsis: 66 }),
  rows: ({ Name: wanted }, { visibleCommands }) => {
    const names = (command: (typeof visibleCommands)[number]): readonly string[] => [command.name, ...command.aliases];
    const found = visibleCommands.filter(
      (command) => wanted?.some((pattern) => names(command).some((name) => matchesWildcard(pattern, name))) ?? true,
    );
    const missing = wanted?.find(
      (pattern) =>
        !pattern.includes("*") &&
        !visibleCommands.some((command) => names(command).some((name) => matchesWildcard(pattern, name))),
    );
    if (missing !== undefined) {
      throw new EndpointError("ObjectNotFound", "You have no command of that name. Get-Command lists those you have.");
    }
    return found.map(({ name, aliases, synopsis }) => [name, aliases.join(", "), synopsis]);
  },
});
