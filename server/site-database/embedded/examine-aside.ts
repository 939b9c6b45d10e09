import { codeOf, EndpointError } from "../../errors.ts";
import { startThread, threadEntry } from "../../start-thread.ts";
import { examineSet } from "./examine-set.ts";
import type { SetExamination, SetExamined } from "./examine-set.ts";
import type { FromExamineWorker } from "./examine-worker.ts";
import { asEndpointError, unavailable, UnreadableCell } from "./failures.ts";
import { threadLimits } from "./thread-limits.ts";

const ownEntry = threadEntry("./examine-worker", import.meta.url);

const closed = (): EndpointError => unavailable("The site database is not available.", "it was closed");

/** @returns undefined when no thread could be started, as after an upgrade that took its program away */
const askThread = async (
  task: SetExamination,
  entry: URL,
  signal: AbortSignal,
): Promise<FromExamineWorker | undefined> => {
  const worker = startThread(entry, task, threadLimits);
  try {
    return await new Promise<FromExamineWorker | undefined>((resolve, reject) => {
      worker.on("message", resolve); // the worker posts nothing else
      worker.on("error", (error) => {
        if (codeOf(error)?.endsWith("MODULE_NOT_FOUND") === true) resolve(undefined);
        else reject(unavailable("The site database is not available.", error instanceof Error ? error : String(error)));
      });
      worker.on("exit", (code) =>
        reject(unavailable("The site database is not available.", `the thread that examines it ended with ${code}`)),
      );
      signal.addEventListener("abort", () => reject(closed()), { once: true });
    });
  } finally {
    await worker.terminate();
  }
};

/** Here they take a tenth of a second, in turns of some milliseconds; a thread takes as long to start. */
const mostRowsHere = 5000;

/**
 * `examineSet`, in a thread of its own where there are many rows: some seconds of a processor for 100,000 keys.
 *
 * @param rows about how many there are
 * @param entry what a thread runs; an argument so that a test can have one that is gone
 * @throws UnreadableCell when the file's structure is damaged, EndpointError when it could not be looked at
 */
export const examineAside = async (
  task: SetExamination,
  rows: number,
  signal: AbortSignal,
  entry = ownEntry,
): Promise<SetExamined> => {
  if (signal.aborted) throw closed();
  const found = rows <= mostRowsHere ? undefined : await askThread(task, entry, signal);
  if (found === undefined)
    return examineSet(task, signal).catch((error: unknown) => {
      if (signal.aborted) throw closed();
      throw error instanceof UnreadableCell ? error : asEndpointError(error);
    });
  if (found.kind === "damaged") throw new UnreadableCell(found.detail);
  if (found.kind === "failed") throw new EndpointError(found.category, found.message, { cause: found.cause });
  return found.examined;
};
