import { pathsIn, readConfiguration } from "../configuration.ts";
import { acceptRestore, refusalInWords } from "../site-database/embedded/index.ts";
import type { RestoreFound } from "../site-database/embedded/index.ts";
import { confirmAccept } from "./confirm-accept.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";
import { readMasterKey } from "../site-database/embedded/configured-master-key.ts";
import { plain } from "./plain.ts";
import { findEmbeddedSite } from "./site.ts";

const foundInWords = ({ refusal, keys, links, wrongRows, firstWrong }: RestoreFound): string =>
  [
    refusal === undefined ? "" : `${refusalInWords(refusal)}\n`,
    `${keys} keys and ${links} links of computers have the right digest.\n`,
    wrongRows === 0
      ? ""
      : `${wrongRows} rows have a wrong digest; the first is ${firstWrong ?? ""}. They are not accepted, and stay refused.\n`,
  ].join("");

/** `pep site accept-restore`: makes the rows that are there those that the record knows, on the record. */
export const acceptRestoreCommand = async (
  dataDirectory: string,
  yes: boolean,
  stop: AbortSignal,
  io: Io,
): Promise<number> => {
  const paths = pathsIn(dataDirectory);
  const site = findEmbeddedSite(readConfiguration(dataDirectory, paths.endpoint));
  const record = await openLocalRecord(paths, io);
  try {
    const state = await acceptRestore(
      {
        file: site.file,
        masterKey: readMasterKey(site),
        recorded: await record.siteState(),
        confirm: async (found) => {
          if (found.refusal === undefined) return;
          io.stdout.write(plain(foundInWords(found)));
          if (!yes) await confirmAccept("these rows as the site's", stop, io);
        },
        accepted: async ({ state: next, refusal, wrongRows }) => {
          const { recorded, found } = refusal;
          await record.append({
            type: "site-restore-accepted",
            localUser: io.localUser,
            ...next,
            ...(recorded === undefined ? {} : { recorded }),
            ...(found === undefined ? {} : { found }),
            wrongRows,
          });
        },
      },
      stop,
    );
    io.stdout.write(
      state === undefined
        ? "The rows are those that the record knows; there is nothing to accept.\n"
        : `Accepted, on the record, as write ${state.counter}. A server that was running when the file was exchanged must be restarted.\n`,
    );
    return 0;
  } finally {
    await record.close();
  }
};
