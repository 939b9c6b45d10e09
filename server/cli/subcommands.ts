import { dirname, resolve } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { pathsIn } from "../configuration.ts";
import { EndpointError } from "../errors.ts";
import type { Io } from "./io.ts";
import type { Signals } from "./serve.ts";

/** A row of the table: what `pep --help` and `pep NAME --help` say, and what runs. */
export interface Subcommand {
  readonly summary: string;
  readonly usage: string;
  /** @throws EndpointError InvalidArgument for an option that it doesn't have */
  readonly run: (args: readonly string[], io: Io, signals: Signals) => Promise<number>;
}

type Options = NonNullable<ParseArgsConfig["options"]>;

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;
/** What every subcommand has. */
const common = { help: { type: "boolean", short: "h" }, "data-dir": text } as const satisfies Options;

export const defaultDataDirectory = ".pep";

const directoryOf = (values: { readonly "data-dir"?: string | undefined }): string =>
  resolve(values["data-dir"] ?? defaultDataDirectory);

const parse = <T extends Options>(args: readonly string[], options: T) => {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new EndpointError("InvalidArgument", error instanceof Error ? error.message : String(error));
  }
};

const noPositionals = (positionals: readonly string[]): void => {
  const [first] = positionals;
  if (first !== undefined) throw new EndpointError("InvalidArgument", `"${first}" is not an argument of this command.`);
};

/** Each one's own modules are loaded when it runs: `serve` needs neither the readers of imports nor a QR code. */
const subcommand = <const T extends Options>(row: {
  readonly summary: string;
  readonly usage: string;
  readonly options: T;
  readonly run: (written: ReturnType<typeof parse<T>>, io: Io, signals: Signals) => Promise<number>;
}): Subcommand => ({
  summary: row.summary,
  usage: row.usage,
  run: async (args, io, signals) => row.run(parse(args, row.options), io, signals),
});

const init = subcommand({
  summary: "pep init    [--data-dir DIR] [--demo] [--accept-shared-account]",
  usage: `pep init [--data-dir DIR] [--demo] [--accept-shared-account]

Makes a data directory: host key, log key, configuration, roles, site database, authorized-keys/.
It never overwrites a file. Running it again makes what is missing.

  --data-dir DIR   the directory (${defaultDataDirectory})
  --demo           made-up computers and a key for each demo user; protects nothing
  --accept-shared-account
                   all screens share one account where each can't have its own; without it, init asks
`,
  options: { ...common, demo: flag, "accept-shared-account": flag },
  run: async ({ values, positionals }, io) => {
    noPositionals(positionals);
    const { initCommand } = await import("./init.ts");
    const { demo = false, "accept-shared-account": acceptSharedAccount = false } = values;
    return initCommand({ dataDirectory: directoryOf(values), demo, acceptSharedAccount }, io);
  },
});

const serve = subcommand({
  summary: "pep serve   [--data-dir DIR] [--config FILE] [--roles FILE] [--listen HOST:PORT] [--demo]",
  usage: `pep serve [--data-dir DIR] [--config FILE] [--roles FILE] [--listen HOST:PORT] [--demo]

Serves until SIGTERM or Ctrl-C. SIGHUP reads roles and keys again.
Prints one line on standard output when it is ready: listening on HOST:PORT SHA256:FINGERPRINT

  --data-dir DIR       the directory made by pep init (${defaultDataDirectory})
  --config FILE        instead of DIR/endpoint.json
  --roles FILE         instead of DIR/jea-roles.json
  --listen HOST:PORT   instead of the configured address; port 0 takes a free one
  --demo               makes the data directory first when it is empty; loopback only
`,
  options: { ...common, config: text, roles: text, listen: text, demo: flag },
  run: async ({ values, positionals }, io, signals) => {
    noPositionals(positionals);
    const { serveCommand } = await import("./serve.ts");
    const { config, roles, listen, demo = false } = values;
    return serveCommand({ dataDirectory: directoryOf(values), config, roles, listen, demo }, signals, io);
  },
});

const importFiles = subcommand({
  summary: "pep import  [--data-dir DIR] [--computer-name NAME] [--skip-invalid] FILE...",
  usage: `pep import [--data-dir DIR] [--computer-name NAME] [--skip-invalid] FILE...
             [--column WHAT=NAME]... [--device-names FILE]

Reads recovery data into the site database: manage-bde -protectors -get, the recovery key files of Windows, text that
has a key id with its key, (Get-BitLockerVolume).KeyProtector as JSON, an LDIF export of msFVE-RecoveryInformation,
Microsoft Graph's recoveryKeys, or CSV with a header row. The file - is standard input.
Each file is imported whole or not at all; importing it again changes nothing. Works while the server runs.

  --data-dir DIR         the directory made by pep init (${defaultDataDirectory})
  --computer-name NAME   for files that name no computer (manage-bde, KeyProtector JSON)
  --column WHAT=NAME     the column (of JSON: property) NAME holds WHAT: Computer, PasswordID, RecoveryPassword, VolumeID,
                         VolumeType or Time
  --device-names FILE    names for device ids: CSV or JSON with DeviceId and DisplayName
  --skip-invalid         leave invalid entries out, and say which
`,
  options: { ...common, "computer-name": text, "skip-invalid": flag, column: texts, "device-names": text },
  run: async ({ values, positionals: files }, io, { stop }) => {
    if (files.length === 0) throw new EndpointError("InvalidArgument", "Name at least one file to import.");
    const { runImport } = await import("./run-import.ts");
    const { column: columns = [], "skip-invalid": skipInvalid = false } = values;
    const { "computer-name": computerName, "device-names": deviceNames } = values;
    const dataDirectory = directoryOf(values);
    return runImport({ dataDirectory, files, computerName, skipInvalid, columns, deviceNames }, stop, io);
  },
});

const auditTexts = {
  "public-key": text,
  "since-checkpoint": text,
  receipt: text,
  user: text,
  since: text,
  until: text,
  command: text,
  "key-id": text,
  computer: text,
  receipts: text,
  html: text,
  before: text,
} as const satisfies Options;
/** An option of `pep audit` that has a value. */
export type AuditOption = keyof typeof auditTexts;

const audit = subcommand({
  summary:
    "pep audit   list | show ID | play ID | verify | export | prune | rotate-key | accept-loss   [--data-dir DIR]",
  usage: `pep audit verify [--data-dir DIR] [--public-key FILE] [--since-checkpoint FILE]
pep audit verify --receipt FILE [--public-key FILE]
pep audit list [--user NAME] [--since TIME] [--until TIME] [--command NAME] [--key-id ID] [--computer NAME]
pep audit show SESSION
pep audit play SESSION [--v2]
pep audit export --receipts DIR [the options of list]
pep audit export --html DIR [the options of list] [--public-key FILE] [--since-checkpoint FILE]
pep audit prune --before DATE
pep audit rotate-key
pep audit accept-loss [--yes]

verify      Checks that nothing on the record was changed, removed or reordered. Else it names the place. Works on a copy of
            the data directory. Exit status 0: the record holds; 1: it does not.
            --public-key FILE         log-key.pub, kept elsewhere: proves who signed it
            --since-checkpoint FILE   a copy of audit/checkpoint, kept elsewhere: proves that nothing before it changed since
            --receipt FILE            checks one receipt instead, with the public key alone
list, show  Sessions, and one session's events as JSON lines.
play        A session's transcript, for a player: pep audit play SESSION | asciinema play -
            --v2                      for players that don't read asciicast v3
export      --receipts DIR   a receipt for each disclosure: user, key id, time and reason, provable offline; no key
            --html DIR       a report for a browser: the verification, sessions with filters and charts, their events and
                             screens. Open DIR/index.html; it needs no server. Replaces an earlier report in DIR
prune       Removes segments of the log whose events are all older, and their transcripts; their hashes stay.
            Also while the server runs, and on a full disk.
rotate-key  Makes a new log key, which the old one signs. Stop the server first.
accept-loss For a record that the server does not start with. Shows the missing and the extra transcripts and lines, asks,
            and records that you accept exactly these. verify goes on naming them. Stop the server first.
            --yes                     does not ask

TIME, DATE: 2026-11-22, 2026-11-22T09:30Z (UTC), or how long ago: 12h, 7d.
Everything but verify is itself on the record, unless DIR is a copy without its log-key.
`,
  options: { ...common, ...auditTexts, v2: flag, yes: flag },
  run: async ({ values, positionals }, io, { stop }) => {
    const [verb = "", ...rest] = positionals;
    const dataDirectory = directoryOf(values);
    if (verb === "prune" || verb === "rotate-key" || verb === "accept-loss") {
      noPositionals(rest);
      const { acceptLossCommand, pruneCommand, rotateKeyCommand } = await import("./audit-upkeep.ts");
      if (verb === "accept-loss") return acceptLossCommand(dataDirectory, values.yes ?? false, stop, io);
      return verb === "prune"
        ? pruneCommand(dataDirectory, values.before, stop, io)
        : rotateKeyCommand(dataDirectory, stop, io);
    }
    const { auditCommand } = await import("./audit.ts");
    return auditCommand(verb, { dataDirectory, arguments: rest, values, v2: values.v2 ?? false, stop }, io);
  },
});

const site = subcommand({
  summary: "pep site    accept-restore   [--data-dir DIR] [--yes]",
  usage: `pep site accept-restore [--data-dir DIR] [--yes]

Use it after you restored a backup of the embedded site database. It checks every row, says what differs from the record,
and asks. Then it records that these are the site's rows from now on. Rows with a wrong digest stay refused.
The server may run, but restart a server that ran while the file was exchanged.

  --data-dir DIR   the directory made by pep init (${defaultDataDirectory})
  --yes            does not ask
`,
  options: { ...common, yes: flag },
  run: async ({ values, positionals }, io, { stop }) => {
    const [verb, ...rest] = positionals;
    if (verb !== "accept-restore") throw new EndpointError("InvalidArgument", "Write: pep site accept-restore.");
    noPositionals(rest);
    const { acceptRestoreCommand } = await import("./accept-restore.ts");
    return acceptRestoreCommand(directoryOf(values), values.yes ?? false, stop, io);
  },
});

const restoreCert = subcommand({
  summary: "pep restore-cert --name NAME [--form Pkcs8|Pfx] [--data-dir DIR] [--yes]",
  usage: `pep restore-cert --name NAME [--form Pkcs8|Pfx] [--data-dir DIR] [--yes]

Use it after the master key of the embedded site database was lost. It makes a new one, restores the certificate from the
backup directory, and records both. It asks for the backup's password, or reads it from the first line of standard input.
It accepts the rows as they are, because only the lost key could prove them. Stop the server first.
If the master key works, use restore-cert in a session instead.

  --name NAME      base name of the backup's files
  --form FORM      Pkcs8: certificate and private key in two files (the default); Pfx: both in one
  --data-dir DIR   the directory made by pep init (${defaultDataDirectory})
  --yes            does not ask
`,
  options: { ...common, name: text, form: { type: "string", default: "Pkcs8" }, yes: flag },
  run: async ({ values, positionals }, io, { stop }) => {
    noPositionals(positionals);
    const { name, form, yes = false } = values;
    if (name === undefined)
      throw new EndpointError("InvalidArgument", "Name the backup: pep restore-cert --name NAME.");
    if (form !== "Pkcs8" && form !== "Pfx") throw new EndpointError("InvalidArgument", "--form is Pkcs8 or Pfx.");
    const { restoreCertCommand } = await import("./restore-cert.ts");
    return restoreCertCommand({ dataDirectory: directoryOf(values), name, form, yes }, stop, io);
  },
});

const renewCert = subcommand({
  summary: "pep renew-cert --name NAME [--form Pkcs8|Pfx] [--dry-run] [--retire-old] [--data-dir DIR] [--yes]",
  usage: `pep renew-cert --name NAME [--form Pkcs8|Pfx] [--dry-run] [--data-dir DIR] [--yes]
pep renew-cert --retire-old --name NAME [--form Pkcs8|Pfx] [--data-dir DIR] [--yes]

Makes a new certificate beside the old one in the embedded site database, and moves every key to it. The server may run.
It shows the steps and asks; then everything is on the record. Run it again when it ended early: it goes on.
The new certificate comes from its own backup, which is made first, or was made at another site. It asks for the backup's
password, or reads it from the first line of standard input.
On SQL Server, --dry-run shows the steps of Microsoft's procedure, and which is next. Nothing else is done there.

  --name NAME      base name of the files of the new certificate's backup
  --form FORM      Pkcs8: certificate and private key in two files (the default); Pfx: both in one
  --dry-run        says what would be done, and how many keys there are; changes nothing
  --retire-old     takes the old certificate out. Refused unless every key opens with the new one and with its backup
  --data-dir DIR   the directory made by pep init (${defaultDataDirectory})
  --yes            does not ask
`,
  options: {
    ...common,
    name: text,
    form: { type: "string", default: "Pkcs8" },
    "dry-run": flag,
    "retire-old": flag,
    yes: flag,
  },
  run: async ({ values, positionals }, io, { stop }) => {
    noPositionals(positionals);
    const { name, form, yes = false, "dry-run": dryRun = false, "retire-old": retireOld = false } = values;
    if (form !== "Pkcs8" && form !== "Pfx") throw new EndpointError("InvalidArgument", "--form is Pkcs8 or Pfx.");
    const { renewCertCommand } = await import("./renew-cert.ts");
    return renewCertCommand({ dataDirectory: directoryOf(values), name, form, dryRun, retireOld, yes }, stop, io);
  },
});

const doctor = subcommand({
  summary: "pep doctor  [--data-dir DIR] [--whole]",
  usage: `pep doctor [--data-dir DIR] [--whole]

Checks a data directory and its site database, and says what is wrong. It changes nothing, except that it upgrades an
embedded site database of an earlier version. Exit status 1 when something required is wrong.

  --data-dir DIR   the directory made by pep init (${defaultDataDirectory})
  --whole          checks every row of the embedded site database, not a sample, and compares all rows with the record
`,
  options: { ...common, whole: flag },
  run: async ({ values, positionals }, io, { stop }) => {
    noPositionals(positionals);
    const { doctorCommand } = await import("./doctor.ts");
    return doctorCommand({ dataDirectory: directoryOf(values), whole: values.whole ?? false }, stop, io);
  },
});

const roles = subcommand({
  summary: "pep roles   test | show USER   [--data-dir DIR] [--roles FILE]",
  usage: `pep roles test [--data-dir DIR] [--roles FILE]
pep roles show USER [--data-dir DIR] [--roles FILE]

test: checks the roles file and how the users of DIR log in, and says what looks wrong. Exit status 0: no errors.
show: shows what USER may run, and why.
`,
  options: { ...common, roles: text },
  run: async ({ values, positionals }, io) => {
    const { roles, "data-dir": given } = values;
    // A roles file by itself is of no data directory but the one that it lies in, if any.
    const dataDirectory = roles !== undefined && given === undefined ? dirname(resolve(roles)) : directoryOf(values);
    const { rolesCommand } = await import("./roles.ts");
    return rolesCommand({ path: roles ?? pathsIn(dataDirectory).roles, dataDirectory, arguments: positionals }, io);
  },
});

const users = subcommand({
  summary: "pep users   add USER [--key FILE] [--role ROLE] | enrol USER | list | remove USER   [--data-dir DIR]",
  usage: `pep users add USER [--key FILE] [--role ROLE]... [--data-dir DIR]
pep users enrol USER [--data-dir DIR] [--force] [--no-qr]
pep users list [--data-dir DIR]
pep users remove USER [--data-dir DIR]

add:    gives USER a key, a role, or both, and says what is left to do. FILE is a public key (.pub; - is standard input).
        Roles are the role capabilities of the roles file. A running server reads both on SIGHUP.
enrol:  makes a second factor (TOTP, RFC 6238) for USER: shows its secret as a QR code, asks for one code to confirm it, and
        prints ten recovery codes, once. Nothing is changed before the code is right. Works while the server runs.
list:   shows who has a second factor, or needs one, and how many recovery codes are left.
remove: removes USER's second factor. Where a role requires one, USER can't log in until enrolled again.
        Keys and roles stay.

To remove a user: delete DIR/authorized-keys/USER and the user in DIR/jea-roles.json; then SIGHUP. It ends USER's sessions too.

requireSecondFactor in the roles file says who needs a second factor. add, enrol and remove are on the record.

  --data-dir DIR   the directory made by pep init (${defaultDataDirectory})
  --force          replaces a second factor that is there
  --no-qr          only text: an otpauth:// address and the secret in base 32
`,
  options: { ...common, force: flag, "no-qr": flag, key: text, role: texts },
  run: async ({ values, positionals }, io, { stop }) => {
    const { force = false, "no-qr": noQr = false, key, role: roles = [] } = values;
    const { usersCommand } = await import("./users.ts");
    return usersCommand(
      { dataDirectory: directoryOf(values), arguments: positionals, force, noQr, key, roles },
      stop,
      io,
    );
  },
});

/** Every subcommand, in the order of `pep --help`. */
export const subcommands: Readonly<Record<string, Subcommand>> = {
  init,
  serve,
  import: importFiles,
  audit,
  site,
  "restore-cert": restoreCert,
  "renew-cert": renewCert,
  doctor,
  roles,
  users,
};
