import { defineCommand } from "../server/command/define-command.ts";
import { given } from "../server/command/given.ts";
import { flag } from "../server/command/parameters.ts";

export const exitPSSession = defineCommand({
  name: "Exit-PSSession",
  aliases: ["exit", "exsn", "quit", "logout"],
  synopsis: "Ends the session.",
  description:
    "Ends the session and closes the connection's channel. Without a terminal (ssh -T) the exit status is that of the last command before it.",
  examples: [
    { line: "exit", explains: "Leave." },
    { line: "exit -FirstFailed", explains: "As a script's last line: 0 where every command succeeded." },
  ],
  forEveryone: true,
  parameters: {
    FirstFailed: flag({ synopsis: "Without a terminal: end with the exit status of the first command that failed." }),
  },
  run: (values) => ({
    kind: "session",
    action: "exit",
    ...given({ firstFailed: values.FirstFailed }),
  }),
});
