import { EndpointError } from "../server/errors.ts";
import { defineCommand } from "../server/command/define-command.ts";
import { sessionId } from "../server/command/parameter-kinds.ts";
import { flag, requiredValue } from "../server/command/parameters.ts";

export const showTranscript = defineCommand({
  name: "Show-Transcript",
  synopsis: "Plays the transcript of a session; in a script, gives it as a file.",
  description:
    'A screen plays it; ? lists the keys. A single command (ssh HOST "Show-Transcript SESSION") writes it to standard output as ' +
    "asciicast v3, which asciinema 3 plays. Recovery keys are masked in it. A running session is shown up to now. A session that ran " +
    "one command has no transcript. Watching is on the record.",
  examples: [
    { line: "Show-Transcript S-0123456789abcdef", explains: "Plays it, or writes it to standard output." },
    {
      line: "Show-Transcript S-0123456789abcdef -V2",
      explains: "In a script: for asciinema 2 and other older players.",
    },
  ],
  parameters: {
    SessionId: requiredValue(sessionId, { synopsis: "Whose transcript.", position: 0 }),
    V2: flag({ synopsis: "In a script: asciicast v2 instead of v3." }),
  },
  run: async (values, { transcripts }) => {
    const transcript = await transcripts.open(values.SessionId);
    if (transcript === undefined) {
      throw new EndpointError(
        "ObjectNotFound",
        `There is no transcript of session ${values.SessionId}. A session that ran one command has none.`,
      );
    }
    return { kind: "transcript", transcript, v2: values.V2 === true };
  },
});
