import { EndpointError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { Io } from "./io.ts";

/**
 * Asks for a backup's password: at a terminal it is typed unseen, else it is the first line of standard input.
 *
 * @param isNew typed twice at a terminal, as nobody could read what was typed
 */
export const askBackupPassword = async (
  { stdin, stderr }: Pick<Io, "stdin" | "stderr">,
  isNew: boolean,
): Promise<Secret> => {
  const ask = async (prompt: string): Promise<string | undefined> => {
    const typed = stdin.readHidden();
    // Once nothing is echoed any more: who sees a prompt types.
    if (stdin.isTTY) stderr.write(prompt);
    const text = await typed;
    if (stdin.isTTY) stderr.write("\n");
    return text;
  };
  const text = await ask(isNew ? "Password for the new backup: " : "Password of the backup: ");
  if (!stdin.isTTY) stdin.close();
  if (text === undefined || text === "")
    throw new EndpointError("InvalidArgument", "The password of the backup is the first line of standard input.");
  if (isNew && stdin.isTTY && (await ask("Again: ")) !== text)
    throw new EndpointError("InvalidArgument", "The two passwords differ. Nothing was done.");
  return new Secret(text);
};
