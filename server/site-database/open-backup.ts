import type { KeyObject } from "node:crypto";
import { EndpointError } from "../errors.ts";
import { withoutStrayEnds } from "../model/new-password.ts";
import { checkBackupName, readBackupFiles } from "./backup-files.ts";
import { decodeKeyFile, decodePfx, isKeyOf } from "./key-files.ts";
import type { CertificateRestoreRequest } from "../command/site-database.ts";

export interface OpenedBackup {
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

const decode = async (
  [first = new Uint8Array(), second = new Uint8Array()]: readonly Uint8Array[],
  form: CertificateRestoreRequest["form"],
  password: Uint8Array,
): Promise<OpenedBackup> =>
  form === "Pfx"
    ? decodePfx(first, password)
    : { certificate: first, privateKey: await decodeKeyFile(second, password) };

const damaged = (message: string, cause: unknown): EndpointError =>
  new EndpointError("InvalidArgument", message, { cause });

const isPair = ({ certificate, privateKey }: OpenedBackup): boolean => {
  try {
    return isKeyOf(certificate, privateKey);
  } catch (error) {
    throw damaged("The certificate in the backup can't be read.", error);
  }
};

/** Reads and opens a backup of the endpoint's own directory, and proves that its private key is its certificate's. */
export const openBackup = async (
  directory: string,
  { name, form }: Pick<CertificateRestoreRequest, "name" | "form">,
  text: string,
): Promise<OpenedBackup> => {
  checkBackupName(name);
  if (text === "") throw new EndpointError("InvalidArgument", "The password of the backup is needed.");
  const files = await readBackupFiles(directory, form === "Pfx" ? [`${name}.pfx`] : [`${name}.cer`, `${name}.key`]);
  const open = async (password: string): Promise<OpenedBackup> => {
    const bytes = Buffer.from(password, "latin1");
    try {
      return await decode(files, form, bytes);
    } finally {
      bytes.fill(0);
    }
  };
  const opened = await open(text)
    .catch((error: unknown) => {
      // As given first: an older backup may have been made with a blank at the end of its password.
      const bare = withoutStrayEnds(text);
      if (bare === text || bare === "") throw error;
      return open(bare);
    })
    .catch((error: unknown) => {
      // A wrong password and a changed file look the same: the cipher's padding does not tell them apart.
      throw damaged("The password does not open the backup, or its files are damaged.", error);
    });
  if (!isPair(opened))
    throw damaged("The private key in the backup belongs to another certificate.", new Error("another public key"));
  return opened;
};
