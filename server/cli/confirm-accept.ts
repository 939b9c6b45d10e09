import { EndpointError } from "../errors.ts";
import type { Io } from "./io.ts";

/**
 * Lets an administrator accept something by typing the word "accept".
 *
 * A script says `--yes` instead.
 *
 * @param what as in "accept this loss"
 * @throws EndpointError InvalidArgument without a terminal, OperationStopped for any other answer
 */
export const confirmAccept = async (
  what: string,
  stop: AbortSignal,
  { stdin, stderr }: Pick<Io, "stdin" | "stderr">,
): Promise<void> => {
  if (!stdin.isTTY) {
    throw new EndpointError("InvalidArgument", `Nothing was accepted. To accept ${what}, add --yes.`);
  }
  const stopped = new Promise<undefined>((resolve) => {
    stop.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  stderr.write(`Type "accept" to accept ${what}, on the record: `);
  const answer = stop.aborted ? undefined : await Promise.race([stdin.readLine(), stopped]);
  stdin.close();
  if (answer?.trim() !== "accept") throw new EndpointError("OperationStopped", "Nothing was accepted.");
};
