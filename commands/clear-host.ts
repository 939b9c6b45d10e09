import { defineCommand } from "../server/command/define-command.ts";

export const clearHost = defineCommand({
  name: "Clear-Host",
  aliases: ["cls", "clear"],
  synopsis: "Clears the screen.",
  description: "Clears the screen. Nothing is removed from the record.",
  examples: [{ line: "cls", explains: "An empty screen." }],
  forEveryone: true,
  parameters: {},
  run: () => ({ kind: "session", action: "clear" }),
});
