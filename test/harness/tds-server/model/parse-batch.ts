import { TokenReader } from "./sql-text.ts";

/** Where certificate and key come from, or go to. */
export type Source =
  | { readonly kind: "subject"; readonly subject: string; readonly expiresOn: string | undefined }
  | {
      readonly kind: "files";
      readonly certificatePath: string;
      readonly keyPath: string | undefined;
      readonly password: string | undefined;
    }
  | { readonly kind: "pfx"; readonly path: string; readonly password: string }
  | {
      readonly kind: "bytes";
      readonly certificate: Buffer;
      readonly pvk: Buffer | undefined;
      readonly password: string | undefined;
    };

/** The batches that certificate administration is made of, and no others. */
export type Command =
  | {
      readonly kind: "unless exists";
      readonly catalogue: "symmetric_keys" | "certificates";
      readonly name: string;
      readonly body: readonly Command[];
    }
  | { readonly kind: "create master key"; readonly password: string }
  | {
      readonly kind: "create certificate";
      readonly name: string;
      readonly owner: string | undefined;
      readonly from: Source;
    }
  | { readonly kind: "grant control"; readonly certificate: string; readonly to: string }
  | { readonly kind: "backup certificate"; readonly name: string; readonly to: Source }
  | { readonly kind: "begin" | "commit" | "roll back if open" | "set" }
  | { readonly kind: "read file"; readonly path: string; readonly column: string }
  | { readonly kind: "export"; readonly columns: readonly ExportColumn[] };

interface ExportColumn {
  readonly column: string;
  readonly certificate: string;
  /** Absent: the public part, by CERTENCODED. */
  readonly password?: string;
}

interface KeyClause {
  readonly path?: string;
  readonly bytes?: Buffer;
  readonly password?: string;
  readonly isPfx: boolean;
}

/** `WITH [FORMAT = 'PFX',] PRIVATE KEY ( … )`; `verb` is what the password does. */
const keyClause = (input: TokenReader, verb: "DECRYPTION" | "ENCRYPTION"): KeyClause => {
  const isPfx = input.has("FORMAT =");
  if (isPfx) {
    if (input.string() !== "PFX") input.fail();
    input.expect(",");
  }
  input.expect("PRIVATE KEY (");
  let found: KeyClause = { isPfx };
  do {
    if (input.has("FILE =")) found = { ...found, path: input.string() };
    else if (input.has("BINARY =")) found = { ...found, bytes: input.binary() };
    else if (input.has(`${verb} BY PASSWORD =`)) found = { ...found, password: input.string() };
    else if (isPfx && verb === "ENCRYPTION" && input.has("ALGORITHM =")) input.string();
    else input.fail();
  } while (input.has(","));
  input.expect(")");
  return found;
};

const filesOf = (input: TokenReader, path: string, verb: "DECRYPTION" | "ENCRYPTION"): Source => {
  if (!input.has("WITH")) return { kind: "files", certificatePath: path, keyPath: undefined, password: undefined };
  const { isPfx, path: keyPath, password } = keyClause(input, verb);
  if (password === undefined || isPfx !== (keyPath === undefined)) return input.fail();
  return isPfx ? { kind: "pfx", path, password } : { kind: "files", certificatePath: path, keyPath, password };
};

const createCertificate = (input: TokenReader): Command => {
  const name = input.name();
  const owner = input.has("AUTHORIZATION") ? input.name() : undefined;
  const made = (from: Source): Command => ({ kind: "create certificate", name, owner, from });
  if (input.has("FROM FILE =")) return made(filesOf(input, input.string(), "DECRYPTION"));
  if (input.has("FROM BINARY =")) {
    const certificate = input.binary();
    const key: KeyClause = input.has("WITH") ? keyClause(input, "DECRYPTION") : { isPfx: false };
    return made({ kind: "bytes", certificate, pvk: key.bytes, password: key.password });
  }
  input.expect("WITH SUBJECT =");
  const subject = input.string();
  let expiresOn: string | undefined;
  if (input.has(",")) {
    input.expect("EXPIRY_DATE =");
    expiresOn = input.string();
  }
  return made({ kind: "subject", subject, expiresOn });
};

const unlessExists = (input: TokenReader): Command => {
  input.expect("SELECT name FROM sys .");
  const catalogue = input.has("certificates")
    ? "certificates"
    : input.has("symmetric_keys")
      ? "symmetric_keys"
      : input.fail();
  input.expect("WHERE name =");
  const name = input.string();
  input.expect(")");
  input.expect("BEGIN");
  const body: Command[] = [];
  while (!input.has("END")) body.push(command(input));
  return { kind: "unless exists", catalogue, name, body };
};

const certificateId = (input: TokenReader): string => {
  input.expect("CERT_ID (");
  const name = input.string();
  input.expect(")");
  return name;
};

const exportColumns = (input: TokenReader): Command => {
  const columns: ExportColumn[] = [];
  do {
    const isPublic = input.has("CERTENCODED (");
    if (!isPublic) input.expect("CERTPRIVATEKEY (");
    const certificate = certificateId(input);
    if (!isPublic) input.expect(",");
    const password = isPublic ? undefined : input.string();
    input.expect(")");
    const column = input.has("AS") ? input.name() : "";
    columns.push({ column, certificate, ...(password === undefined ? {} : { password }) });
  } while (input.has(","));
  return { kind: "export", columns };
};

const readFile = (input: TokenReader): Command => {
  const column = input.name();
  input.expect("FROM OPENROWSET ( BULK");
  const path = input.string();
  input.expect(", SINGLE_BLOB ) AS f");
  return { kind: "read file", path, column };
};

const command = (input: TokenReader): Command => {
  const parsed = oneCommand(input);
  input.has(";");
  return parsed;
};

const oneCommand = (input: TokenReader): Command => {
  if (input.has("IF NOT EXISTS (")) return unlessExists(input);
  if (input.has("CREATE MASTER KEY ENCRYPTION BY PASSWORD ="))
    return { kind: "create master key", password: input.string() };
  if (input.has("CREATE CERTIFICATE")) return createCertificate(input);
  if (input.has("GRANT CONTROL ON CERTIFICATE ::")) {
    const certificate = input.name();
    input.expect("TO");
    return { kind: "grant control", certificate, to: input.name() };
  }
  if (input.has("BACKUP CERTIFICATE")) {
    const name = input.name();
    input.expect("TO FILE =");
    return { kind: "backup certificate", name, to: filesOf(input, input.string(), "ENCRYPTION") };
  }
  if (input.has("SET XACT_ABORT ON")) return { kind: "set" };
  if (input.has("BEGIN TRANSACTION")) return { kind: "begin" };
  if (input.has("COMMIT TRANSACTION")) return { kind: "commit" };
  if (input.has("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")) return { kind: "roll back if open" };
  input.expect("SELECT");
  return input.has("f . BulkColumn AS") ? readFile(input) : exportColumns(input);
};

/** A whole batch, before any of it runs: a syntax error anywhere means that nothing happens. */
export const parseBatch = (sql: string): readonly Command[] => {
  const input = new TokenReader(sql);
  const commands: Command[] = [];
  while (!input.atEnd) commands.push(command(input));
  return commands;
};
