import { existsSync } from "node:fs";
import { pathsIn, readConfiguration } from "../configuration.ts";
import type { CertificateRestoreRequest } from "../command/site-database.ts";
import { connectControl } from "../control/control-socket.ts";
import { EndpointError } from "../errors.ts";
import { createMasterKeyFile, opensWith, renewMasterKey } from "../site-database/embedded/index.ts";
import type { LostMasterKey } from "../site-database/embedded/index.ts";
import { askBackupPassword } from "./backup-password.ts";
import { confirmAccept } from "./confirm-accept.ts";
import type { Io } from "./io.ts";
import { openLocalRecord } from "./local-record.ts";
import { readMasterKey } from "../site-database/embedded/configured-master-key.ts";
import { plain } from "./plain.ts";
import { findEmbeddedSite } from "./site.ts";

export interface RestoreCert extends Pick<CertificateRestoreRequest, "name" | "form"> {
  readonly dataDirectory: string;
  /** Does not ask. */
  readonly yes: boolean;
}

const refuseWhileServed = async (control: string): Promise<void> => {
  const server = await connectControl(control);
  if (server === undefined) return;
  await server.close();
  throw new EndpointError(
    "InvalidArgument",
    "The server runs, so it has the master key. Restore the certificate in a session: restore-cert. If the key is lost, stop the server first.",
  );
};

const inWords = ({ thumbprint, keys, links, unreadableCells }: LostMasterKey, isNew: boolean): string =>
  [
    `The backup opens the keys of this database. Its certificate is ${thumbprint}.\n`,
    unreadableCells === 0
      ? ""
      : `${unreadableCells} encrypted cells do not open with it. They stay closed, and their keys are refused.\n`,
    `There are ${keys} keys and ${links} links of computers. Only the lost key could prove that these are the rows that were written.\n`,
    isNew
      ? "A new master key is made.\n"
      : "The configured master key is not the lost one. It becomes the master key of this database.\n",
  ].join("");

/** `pep restore-cert`: for a lost master key. A new one, the certificate from a backup, and the rows as they stand, on the record. */
export const restoreCertCommand = async (
  { dataDirectory, name, form, yes }: RestoreCert,
  stop: AbortSignal,
  io: Io,
): Promise<number> => {
  const paths = pathsIn(dataDirectory);
  const configuration = readConfiguration(dataDirectory, paths.endpoint);
  const site = findEmbeddedSite(configuration);
  await refuseWhileServed(paths.control);
  const source = readMasterKey(site);
  const isNew = source.kind === "file" && !existsSync(source.path);
  if (!isNew && (await opensWith(site.file, source, stop)))
    throw new EndpointError(
      "ResourceExists",
      "The master key opens this database, so it is not lost. Start the server, and restore the certificate in a session: restore-cert.",
    );
  const password = await askBackupPassword(io, false);
  const record = await openLocalRecord(paths, io, stop);
  try {
    const done = await renewMasterKey(
      {
        file: site.file,
        backupDirectory: configuration.backupDirectory,
        request: { name, form, password },
        recorded: await record.siteState(),
        newMasterKey: async (found) => {
          io.stdout.write(plain(inWords(found, isNew)));
          if (!yes) await confirmAccept("the rows as they are, and the certificate of the backup", stop, io);
          if (source.kind === "file" && isNew) await createMasterKeyFile(source.path);
          return source;
        },
        renewed: async ({ state, thumbprint, unreadableCells, wrongRows }) => {
          const localUser = io.localUser;
          await record.append({ type: "master-key-renewed", localUser, thumbprint, unreadableCells });
          await record.append({ type: "site-restore-accepted", localUser, ...state, wrongRows });
        },
      },
      stop,
    );
    io.stdout.write(
      `Restored, on the record, as write ${done.state.counter}. ${source.kind === "file" ? `Keep a copy of ${source.path} elsewhere. ` : ""}Start the server.\n`,
    );
    return 0;
  } finally {
    await record.close();
  }
};
