import { isAbsolute, join, relative, resolve } from "node:path";
import * as z from "zod";
import { syslogReceiver, type SyslogReceiver } from "./audit-forwarding/configuration.ts";
import { EndpointError } from "./errors.ts";
import { openFile } from "./files/judge.ts";
import { readTrustedSync, refuseOpenFolder } from "./files/trusted-file.ts";
import { penaltySettings, perSourcePenalties, perSourcePenaltyExemptList } from "./ssh/penalty-configuration.ts";
import type { PenaltySettings } from "./ssh/penalties.ts";
import { sqlServerSiteDatabase, type SqlServerConfiguration } from "./site-database/sql-server/configuration.ts";

const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):\d{1,5}$/, "must be HOST:PORT, as 127.0.0.1:2222 or [::1]:2222");

const embeddedSiteDatabase = z.strictObject({
  kind: z.literal("embedded"),
  file: z.string().default("site.sqlite"),
  /** "Allow recovery information to be stored in plain text": counts when `pep init` makes the database. */
  plainText: z.boolean().default(false),
});

/** endpoint.json, as written. Paths may be relative to the data directory. */
const endpointFile = z.strictObject({
  $schema: z.string().optional(),
  /** Name in the prompt: `PS support@NAME>`. */
  endpointName: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
    .default("pep"),
  listen: listenAddress.default("127.0.0.1:2222"),
  siteDatabase: z.union([embeddedSiteDatabase, sqlServerSiteDatabase]).default({
    kind: "embedded",
    file: "site.sqlite",
    plainText: false,
  }),
  /** Where the master key of the embedded site database comes from; outside the data directory. SQL Server has its own. */
  masterKey: z
    .union([
      z.strictObject({ file: z.string() }),
      /** First line of a file, for example a systemd credential; the key is derived with scrypt. */
      z.strictObject({ passwordFile: z.string() }),
    ])
    .optional(),
  /** Public keys whose certificates log users in (OpenSSH's TrustedUserCAKeys); without it none do. */
  trustedUserCAKeys: z.string().optional(),
  /** OpenSSH's RevokedKeys: a KRL or a list of public keys. Configured and unreadable, it refuses everybody. */
  revokedKeys: z.string().optional(),
  /** What sources earn that end connections without a log-in (OpenSSH's PerSourcePenalties). */
  perSourcePenalties: perSourcePenalties.prefault({}),
  /** Left out: nobody; in a demo loopback, from where all of its clients come. */
  perSourcePenaltyExemptList: perSourcePenaltyExemptList.optional(),
  /** Where the record is sent, to a SIEM; without it nowhere. */
  syslog: syslogReceiver.optional(),
  /** What second factors are sealed with; outside the data directory. Left out: beside it, `DIR.second-factor-key`. */
  secondFactorKey: z.string().optional(),
  /** Where backup-cert writes; outside the data directory. */
  backupDirectory: z.string(),
  /** Free space kept for the record: below it no session starts, below half of it running ones end. */
  auditReserveMiB: z
    .number()
    .int()
    .min(1)
    .max(1024 * 1024)
    .optional(),
  /** A session whose transcript has grown to this ends. */
  transcriptLimitMiB: z.number().int().min(1).max(4096).default(64),
  /** Connections that one user may be logged in on at a time. */
  connectionsPerUser: z.number().int().min(1).max(512).default(64),
  /** What one user may put on the record within an hour, log and transcripts; disclosures have a limit of their own. */
  recordMiBPerHour: z.number().int().min(1).max(65_536).default(64),
  /** Sessions of one user that begin at once; further ones begin at this rate. */
  sessionsPerMinute: z.number().int().min(1).max(100_000).default(600),
  /** A connection without a session, as ControlMaster keeps them, ends after this. */
  connectionIdleMinutes: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 60)
    .default(60),
  /** UI processes kept started for the next log-in. */
  spareUiProcesses: z.number().int().min(0).max(16).default(2),
  userInterface: z
    .strictObject({
      /** Uids, and gids of the same numbers, one for each UI process at a time. Nobody else may have them. */
      accounts: z
        .strictObject({
          first: z.number().int().min(1).max(4_294_967_293),
          count: z.number().int().min(1).max(4096),
        })
        .default({ first: 60_736, count: 448 }),
      /** Screens start though UI processes can't have accounts of their own. A demo accepts it. */
      acceptSharedAccount: z.boolean().default(false),
    })
    .prefault({}),
  /** Made by `pep init --demo`: its master key may lie in the data directory, and it listens on loopback only. */
  demo: z.boolean().default(false),
});

const mebibyte = 1024 * 1024;
const reserveMiB = 500;
/** A demo is tried in containers and on small disks, and what it records is worth nothing. */
const demoReserveMiB = 32;

export type EndpointFile = z.input<typeof endpointFile>;

export interface EmbeddedSite {
  readonly kind: "embedded";
  readonly file: string;
  readonly plainText: boolean;
  readonly masterKey: { readonly file: string } | { readonly passwordFile: string };
}

export interface Configuration {
  readonly dataDirectory: string;
  readonly endpointName: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly siteDatabase: EmbeddedSite | SqlServerConfiguration;
  readonly trustedUserCAKeys: string | undefined;
  readonly revokedKeys: string | undefined;
  readonly penalties: PenaltySettings;
  readonly syslog: SyslogReceiver | undefined;
  readonly secondFactorKey: string;
  readonly backupDirectory: string;
  readonly auditReserveBytes: number;
  readonly transcriptLimitBytes: number;
  readonly connectionsPerUser: number;
  readonly connectionIdleMs: number;
  readonly recordMiBPerHour: number;
  readonly sessionsPerMinute: number;
  readonly spareUiProcesses: number;
  readonly userInterface: {
    /** Uids and gids, both ends included. */
    readonly accounts: { readonly first: number; readonly last: number };
    readonly acceptSharedAccount: boolean;
  };
  readonly demo: boolean;
}

export const parseListen = (text: string): Configuration["listen"] => {
  const checked = listenAddress.safeParse(text);
  const at = text.lastIndexOf(":");
  const port = Number(text.slice(at + 1));
  if (!checked.success || port > 65535) {
    throw new EndpointError("InvalidArgument", `"${text}" is no address: it must be HOST:PORT, as 127.0.0.1:2222.`);
  }
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port };
};

const loopback = ["127.0.0.0/8", "::1"];

export const isLoopback = (host: string): boolean => /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host);

const lies = (path: string, directory: string): boolean => {
  const way = relative(directory, path);
  return way === "" || (way !== ".." && !way.startsWith("../") && !isAbsolute(way));
};

type Issue = z.core.$ZodIssue;

/** A union's failure, as that of the branch that was meant: the one whose `kind` fits, or that got furthest. */
const meantIssues = (issue: Issue): readonly { readonly where: string; readonly message: string }[] => {
  if (issue.code !== "invalid_union") return [{ where: issue.path.join(".") || "file", message: issue.message }];
  const aboutKind = (inner: Issue): boolean => inner.path.at(-1) === "kind" || inner.code === "unrecognized_keys";
  const meant = issue.errors.find((branch) => !branch.some(aboutKind)) ?? issue.errors[0] ?? [];
  return meant.flatMap((inner) =>
    meantIssues(inner).map(({ where, message }) => ({ where: [...issue.path, where].join("."), message })),
  );
};

const decode = (text: string, path: string): z.infer<typeof endpointFile> => {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new EndpointError("InvalidArgument", `${path} is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  const decoded = endpointFile.safeParse(raw);
  if (decoded.success) return decoded.data;
  const problems = decoded.error.issues.flatMap(meantIssues).map(({ where, message }) => `${where}: ${message}`);
  throw new EndpointError("InvalidArgument", `${path}: ${problems.join("; ")}`);
};

/** @throws EndpointError InvalidArgument where an embedded database's master key is not named or lies with the data */
const resolveSite = (
  { siteDatabase, masterKey, demo }: z.infer<typeof endpointFile>,
  path: string,
  dataDirectory: string,
): Configuration["siteDatabase"] => {
  if (siteDatabase.kind === "sqlServer") return siteDatabase;
  if (masterKey === undefined) {
    throw new EndpointError("InvalidArgument", `${path}: masterKey is missing; the embedded site database needs one.`);
  }
  const written = "file" in masterKey ? masterKey.file : masterKey.passwordFile;
  const resolved = resolve(dataDirectory, written);
  if (!demo && lies(resolved, dataDirectory)) {
    throw new EndpointError(
      "InvalidArgument",
      `${path}: the master key must lie outside the data directory, or whoever copies the one has both.`,
    );
  }
  return {
    kind: "embedded",
    file: resolve(dataDirectory, siteDatabase.file),
    plainText: siteDatabase.plainText,
    masterKey: "file" in masterKey ? { file: resolved } : { passwordFile: resolved },
  };
};

/**
 * Reads and checks endpoint.json.
 *
 * @param path `endpoint.json`, usually in the data directory
 * @throws EndpointError with one line that says what to change; UntrustedFile
 */
export const readConfiguration = (dataDirectory: string, path: string): Configuration => {
  const hint = `make a data directory with: pep init --data-dir ${dataDirectory}`;
  const text = readTrustedSync(path, openFile("configuration", undefined, hint)).toString("utf8");
  refuseOpenFolder(dataDirectory, { what: "data directory", links: "trusted" });
  const file = decode(text, path);
  const from = (relativePath: string): string => resolve(dataDirectory, relativePath);
  const secondFactorKey = from(
    file.secondFactorKey ?? (file.demo ? "demo/second-factor-key" : `${dataDirectory}.second-factor-key`),
  );
  if (!file.demo && lies(secondFactorKey, dataDirectory)) {
    throw new EndpointError(
      "InvalidArgument",
      `${path}: secondFactorKey must lie outside the data directory, or whoever copies the one can make everybody's codes.`,
    );
  }
  const backupDirectory = from(file.backupDirectory);
  if (lies(backupDirectory, dataDirectory)) {
    throw new EndpointError("InvalidArgument", `${path}: backupDirectory must lie outside the data directory.`);
  }
  const { accounts } = file.userInterface;
  return {
    dataDirectory,
    endpointName: file.endpointName,
    listen: parseListen(file.listen),
    siteDatabase: resolveSite(file, path, dataDirectory),
    trustedUserCAKeys: file.trustedUserCAKeys === undefined ? undefined : from(file.trustedUserCAKeys),
    revokedKeys: file.revokedKeys === undefined ? undefined : from(file.revokedKeys),
    penalties: penaltySettings(file.perSourcePenalties, file.perSourcePenaltyExemptList ?? (file.demo ? loopback : [])),
    syslog: file.syslog && {
      ...file.syslog,
      ca: from(file.syslog.ca),
      certificate: from(file.syslog.certificate),
      key: from(file.syslog.key),
    },
    secondFactorKey,
    backupDirectory,
    auditReserveBytes: (file.auditReserveMiB ?? (file.demo ? demoReserveMiB : reserveMiB)) * mebibyte,
    transcriptLimitBytes: file.transcriptLimitMiB * mebibyte,
    connectionsPerUser: file.connectionsPerUser,
    connectionIdleMs: file.connectionIdleMinutes * 60_000,
    recordMiBPerHour: file.recordMiBPerHour,
    sessionsPerMinute: file.sessionsPerMinute,
    spareUiProcesses: file.spareUiProcesses,
    userInterface: {
      accounts: { first: accounts.first, last: accounts.first + accounts.count - 1 },
      acceptSharedAccount: file.demo || file.userInterface.acceptSharedAccount,
    },
    demo: file.demo,
  };
};

/** The names inside a data directory. Administrators and their scripts know them: a name that changes breaks those. */
export const pathsIn = (dataDirectory: string) => ({
  endpoint: join(dataDirectory, "endpoint.json"),
  roles: join(dataDirectory, "jea-roles.json"),
  hostKey: join(dataDirectory, "host-key"),
  logKey: join(dataDirectory, "log-key"),
  authorizedKeys: join(dataDirectory, "authorized-keys"),
  state: join(dataDirectory, "state"),
  elevation: join(dataDirectory, "state", "elevation.ndjson"),
  syslogCursor: join(dataDirectory, "state", "syslog-cursor"),
  secondFactors: join(dataDirectory, "state", "second-factor"),
  secondFactorUses: join(dataDirectory, "state", "second-factor-use"),
  control: join(dataDirectory, "state", "control.sock"),
  audit: join(dataDirectory, "audit"),
  log: join(dataDirectory, "audit", "log"),
  transcripts: join(dataDirectory, "audit", "transcripts"),
  demoKeys: join(dataDirectory, "demo", "keys"),
  demoMasterKey: join(dataDirectory, "demo", "master-key"),
  sshConfiguration: join(dataDirectory, "demo", "ssh_config"),
  knownHosts: join(dataDirectory, "demo", "known_hosts"),
});
