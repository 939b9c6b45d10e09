import { elevationTable } from "./elevation-rows.ts";
import { freeText } from "../server/command/parameter-kinds.ts";
import { requiredValue, value } from "../server/command/parameters.ts";
import type { Kind } from "../server/command/parameters.ts";
import { rowsCommand } from "../server/command/rows-command.ts";

/**
 * A whole line. For the record and the roles it is its length only, as any line that may be refused; once it is bound,
 * the record has its canonical form.
 */
const wholeLine: Kind<string> = {
  placeholder: "<line>",
  expects: "the whole command line to be approved, in quotes",
  decode: (typed) =>
    typed.trim() === "" ? { problem: "value" } : { value: typed, text: `a line of ${typed.length} characters` },
};

export const requestElevation = rowsCommand({
  name: "Request-Elevation",
  synopsis: "Asks another person to approve one invocation.",
  description:
    "Names exactly what you want to run. The rows it would show are counted for the person who decides, and no more than these are " +
    "shown later. Once another person has approved it, run it with -RequestId: once, within the time that Get-Elevation shows.",
  examples: [
    {
      line: "Request-Elevation 'Get-RecoveryKeys -ComputerName PC-0001' -Reason 'Lost PIN'",
      explains: "Asks; the answer has the request's id.",
    },
  ],
  forElevation: true,
  parameters: {
    Invocation: requiredValue(wholeLine, { synopsis: "What you want to run, as you would type it.", position: 0 }),
    Reason: value(
      freeText({
        placeholder: "<text>",
        expects: "a text of at most 256 characters",
        longest: 256,
        suggestions: [],
      }),
      { synopsis: "Why; the other person reads it, and it goes on the record." },
    ),
  },
  ...elevationTable,
  rows: async ({ Invocation, Reason }, { elevation }) => [await elevation.request(Invocation, Reason)],
});
