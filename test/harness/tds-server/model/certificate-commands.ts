import { X509Certificate } from "node:crypto";
import type { Respond } from "../respond.ts";
import type { TdsRequest } from "../rpc.ts";
import { answerRows } from "./catalogue.ts";
import {
  belongTogether,
  decodePfx,
  encodePfx,
  expiryOf,
  makeCertificatePair,
  thumbprintOf,
} from "./certificate-files.ts";
import type { CertificatePair } from "./certificate-files.ts";
import type { Command, Source } from "./parse-batch.ts";
import { decodePvk, encodePvk } from "./pvk.ts";
import { notFound, SqlError } from "./sql-error.ts";
import { isReadOnly, isUsable, principals, storedCertificate, visibleCertificate } from "./state.ts";
import type { SiteState, StoredCertificate } from "./state.ts";
import { styled126 } from "./tables.ts";

const textOf126 = (date: Date): string => styled126(date.toISOString().slice(0, -1));

/** Windows' policy, as the server applies it to passwords that encrypt. */
const checkPolicy = (password: string): void => {
  if (password.length < 8) throw new SqlError(15116, "Password validation failed. The password is too short.");
  if (password.length > 128) throw new SqlError(15117, "Password validation failed. The password is too long.");
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(password)).length;
  if (kinds < 3) throw new SqlError(15118, "Password validation failed. The password does not meet the policy.");
};

const mayChange = (state: SiteState, request: TdsRequest): void => {
  if (!state.permissions.has("CONTROL on the database"))
    throw new SqlError(15247, "User does not have permission to perform this action.");
  if (isReadOnly(state, request))
    throw new SqlError(15635, "Cannot execute the statement because the database is in read-only access mode.");
};

const openMasterKey = (state: SiteState): void => {
  if (state.masterKey !== "opens by itself")
    throw new SqlError(15581, "Please create a master key in the database or open the master key in the session.");
};

const fileAt = (state: SiteState, path: string): Buffer => {
  const file = state.files.get(path);
  if (file === undefined)
    throw new SqlError(15208, "The certificate, asymmetric key, or private key file is not valid or does not exist.");
  return file;
};

const parseCertificate = (bytes: Buffer): Buffer => {
  try {
    return new X509Certificate(bytes).raw;
  } catch {
    throw new SqlError(15297, "The certificate, asymmetric key, or private key data is invalid.");
  }
};

const withKey = (certificate: Buffer, pvk: Buffer | undefined, password: string | undefined): CertificatePair => {
  const der = parseCertificate(certificate);
  if (pvk === undefined) return { der, privateKey: undefined };
  const privateKey = decodePvk(pvk, password ?? "");
  if (privateKey === "not a PVK") throw new SqlError(15464, "Unsupported private key format or key length.");
  if (privateKey === "wrong password") throw new SqlError(15465, `The private key password is invalid: ${password}`);
  if (!belongTogether(der, privateKey)) throw new SqlError(15474, "The private key does not match the public key.");
  return { der, privateKey };
};

const pairFrom = async (state: SiteState, from: Source): Promise<CertificatePair> => {
  switch (from.kind) {
    case "subject": {
      const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(from.expiresOn ?? "20271122") ?? [];
      if (year === undefined) throw new SqlError(241, "Conversion failed when converting date and/or time.");
      const keyBits = state.shape.majorVersion < 13 ? 1024 : 2048;
      return makeCertificatePair(from.subject, new Date(`${year}-${month}-${day}T00:00:00Z`), keyBits);
    }
    case "files": {
      const pvk = from.keyPath === undefined ? undefined : fileAt(state, from.keyPath);
      return withKey(fileAt(state, from.certificatePath), pvk, from.password);
    }
    case "pfx": {
      const pair = await decodePfx(fileAt(state, from.path), from.password);
      if (pair === undefined) throw new SqlError(15465, "The private key password is invalid.");
      return pair;
    }
    case "bytes":
      return withKey(from.certificate, from.pvk, from.password);
  }
};

const set = (state: SiteState, name: string, certificate: StoredCertificate): void => {
  state.certificates = new Map(state.certificates).set(name, certificate);
};

const create = async (
  state: SiteState,
  request: TdsRequest,
  { name, owner, from }: Extract<Command, { kind: "create certificate" }>,
): Promise<void> => {
  mayChange(state, request);
  if (owner !== undefined && !principals.some((one) => one === owner)) throw notFound("user", owner);
  const thumbprints = [...state.certificates.values()].map(({ thumbprint }) => thumbprint);
  const exists = new SqlError(
    15232,
    `A certificate with name '${name}' already exists or this certificate already has been added.`,
  );
  if (state.certificates.has(name)) throw exists;
  openMasterKey(state);
  const pair = await pairFrom(state, from);
  if (thumbprints.includes(thumbprintOf(pair))) throw exists;
  set(state, name, storedCertificate(pair, owner ?? "dbo"));
};

const writeFile = (state: SiteState, path: string, bytes: Buffer): void => {
  if (!path.startsWith(state.backupDirectory) || state.files.has(path))
    throw new SqlError(15240, `Cannot write into file '${path}'. Verify that you have write permissions.`);
  state.files.set(path, bytes);
};

const backUp = async (
  state: SiteState,
  { name, to }: Extract<Command, { kind: "backup certificate" }>,
): Promise<void> => {
  const certificate = state.permissions.has("CONTROL on the certificate") ? state.certificates.get(name) : undefined;
  if (certificate === undefined) throw notFound("certificate", name);
  const { der, privateKey } = certificate.pair;
  if (to.kind !== "files" && to.kind !== "pfx") return;
  if (to.kind === "files" && to.keyPath === undefined) return writeFile(state, to.certificatePath, der);
  if (privateKey === undefined) throw new SqlError(15246, "Cannot dump the private key of certificate: not found.");
  openMasterKey(state);
  const password = to.password ?? "";
  checkPolicy(password);
  if (to.kind === "pfx") {
    if (state.shape.majorVersion < 16) throw new SqlError(102, "Incorrect syntax near 'FORMAT'.", 15);
    writeFile(state, to.path, await encodePfx(der, privateKey, password));
  } else {
    writeFile(state, to.certificatePath, der);
    writeFile(state, to.keyPath ?? "", encodePvk(privateKey, password));
  }
  set(state, name, { ...certificate, lastBackupAt: new Date() });
};

/** The functions answer NULL where the statement would raise. */
const exportParts = async (
  state: SiteState,
  { columns }: Extract<Command, { kind: "export" }>,
  respond: Respond,
): Promise<void> => {
  const cells = columns.map(({ certificate: name, password }) => {
    const certificate = visibleCertificate(state, name);
    if (certificate === undefined) return null;
    if (password === undefined) return certificate.pair.der;
    const { privateKey } = certificate.pair;
    const mayExport = state.permissions.has("CONTROL on the certificate") && isUsable(state, certificate);
    if (privateKey === undefined || !mayExport) return null;
    set(state, name, { ...certificate, lastBackupAt: new Date() });
    return encodePvk(privateKey, password);
  });
  respond.columns(columns.map(({ column }) => ({ name: column, type: "varbinary(max)" })));
  await respond.row(cells);
};

/** Runs one command. */
export const runCommand = async (
  command: Command,
  state: SiteState,
  request: TdsRequest,
  respond: Respond,
): Promise<void> => {
  switch (command.kind) {
    case "set":
      return;
    case "begin":
      state.transactions.set(request.connection, { masterKey: state.masterKey, certificates: state.certificates });
      return;
    case "commit":
      if (!state.transactions.delete(request.connection))
        throw new SqlError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.");
      return;
    case "roll back if open":
      return rollBack(state, request.connection);
    case "unless exists": {
      const there =
        command.catalogue === "symmetric_keys"
          ? command.name === "##MS_DatabaseMasterKey##" && state.masterKey !== "absent"
          : visibleCertificate(state, command.name) !== undefined;
      if (!there) for (const inner of command.body) await runCommand(inner, state, request, respond);
      return;
    }
    case "create master key":
      mayChange(state, request);
      if (state.masterKey !== "absent") throw new SqlError(15578, "There is already a master key in the database.");
      checkPolicy(command.password);
      state.masterKey = "opens by itself";
      return;
    case "create certificate":
      return create(state, request, command);
    case "grant control": {
      const certificate = visibleCertificate(state, command.certificate);
      if (certificate === undefined) throw notFound("certificate", command.certificate);
      if (!principals.some((one) => one === command.to)) throw notFound("user", command.to);
      set(state, command.certificate, { ...certificate, grants: new Set([...certificate.grants, command.to]) });
      return;
    }
    case "backup certificate":
      return backUp(state, command);
    case "read file": {
      if (!state.permissions.has("ADMINISTER BULK OPERATIONS"))
        throw new SqlError(4834, "You do not have permission to use the bulk load statement.");
      const file = state.files.get(command.path);
      if (file === undefined) throw new SqlError(4860, `Cannot bulk load. The file "${command.path}" does not exist.`);
      return answerRows(respond, { [command.column]: "varbinary(max)" }, [[file]]);
    }
    case "export":
      return exportParts(state, command, respond);
  }
};

/** Back to where the connection's transaction began; also what the end of a connection does. */
export const rollBack = (state: SiteState, connection: number): void => {
  const before = state.transactions.get(connection);
  if (before === undefined) return;
  state.transactions.delete(connection);
  state.masterKey = before.masterKey;
  state.certificates = before.certificates;
};

const grantsFor = (certificate: StoredCertificate, principal: string): number =>
  Number(certificate.grants.has(principal));

/** Questions about the certificate that are queries, not commands; false when the statement is another. */
export const answerCertificateQuery = async (name: string, state: SiteState, respond: Respond): Promise<boolean> => {
  const certificate = visibleCertificate(state);
  const masterKeys = Number(state.masterKey !== "absent");
  switch (name) {
    case "verify-certificate-microsoft": {
      // Grantees and the grantor, who is the owner; without a grant there is no row that names the owner.
      const named = new Set(certificate?.grants);
      if (certificate !== undefined && named.size > 0) named.add(certificate.owner);
      const count = principals.filter((principal) => named.has(principal)).length;
      await answerRows(respond, { "": "int" }, [[count >= 3 ? 1 : 0]]);
      return true;
    }
    case "inspect-certificate": {
      const rows =
        certificate === undefined
          ? []
          : [
              [
                certificate.owner,
                certificate.protection,
                textOf126(expiryOf(certificate.pair)),
                certificate.lastBackupAt === undefined ? null : textOf126(certificate.lastBackupAt),
                grantsFor(certificate, "RecoveryAndHardwareRead"),
                grantsFor(certificate, "RecoveryAndHardwareWrite"),
                masterKeys,
                Number(state.masterKey === "opens by itself"),
              ],
            ];
      await answerRows(
        respond,
        {
          OwnerName: "nvarchar(128)",
          KeyProtection: "varchar(2)",
          ExpiresAt: "nvarchar(33)",
          LastBackupAt: "nvarchar(33)",
          ReadGrants: "int",
          WriteGrants: "int",
          MasterKeys: "int",
          OpensByItself: "int",
        },
        rows,
      );
      return true;
    }
    case "find-certificate":
      await answerRows(respond, { DatabaseName: "nvarchar(128)", MasterKeys: "int", Certificates: "int" }, [
        [state.databaseName, masterKeys, Number(certificate !== undefined)],
      ]);
      return true;
    case "find-old-certificate": {
      const old = visibleCertificate(state, "BitLockerManagement_CERT_OLD");
      await answerRows(respond, { OldCertificates: "int" }, [[Number(old !== undefined)]]);
      return true;
    }
    case "read-certificate":
      await answerRows(respond, { Certificate: "varbinary(max)" }, [[certificate?.pair.der ?? null]]);
      return true;
    default:
      return false;
  }
};
