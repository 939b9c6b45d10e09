import { defineCommand } from "./define-command.ts";

export const exitPSSession = defineCommand({
  name: "Exit-PSSession",
  aliases: ["exit", "exsn", "quit", "logout"],
  synopsis: "Ends the session.",
  description: "Ends the session and closes the connection's channel.",
  examples: [{ line: "exit", explains: "Leave." }],
  forEveryone: true,
  parameters: {},
  answersRows: () => false,
  run: () => ({ kind: "session", action: "exit" }),
});
