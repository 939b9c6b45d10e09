import { join, resolve } from "node:path";
import * as z from "zod";
import { syslogReceiver, type SyslogReceiver } from "./audit-forwarding/configuration.ts";
import { EndpointError } from "./errors.ts";
import { openFile } from "./files/judge.ts";
import { readTrustedSync, refuseOpenFolder } from "./files/trusted-file.ts";
import { liesIn } from "./files/way.ts";
import { penaltySettings, perSourcePenalties, perSourcePenaltyExemptList } from "./ssh/penalty-configuration.ts";
import type { PenaltySettings } from "./ssh/penalties.ts";
import { resolveSite, siteAdapters, type Site } from "./site-database/adapters.ts";
import { masterKeyPlace } from "./site-database/embedded/configuration.ts";

const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):\d{1,5}$/, "must be HOST:PORT, as 127.0.0.1:2222 or [::1]:2222");

const reserveMiB = 500;
/** A demo is tried in containers and on small disks, and what it records is worth nothing. */
const demoReserveMiB = 32;

/**
 * endpoint.json, as written. Paths may be relative to the data directory. docs/reference/endpoint-json.md is made of this:
 * beside zod's own words each setting may have a `unit`, `examples`, and `leftOut`, what holds without it.
 */
const endpointFile = z.strictObject({
  $schema: z.string().optional(),
  endpointName: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
    .default("pep")
    .register(z.globalRegistry, { description: "The name in the prompt: `PS support@NAME>`." }),
  listen: listenAddress
    .default("127.0.0.1:2222")
    .register(z.globalRegistry, { description: "Where it listens.", unit: "HOST:PORT" }),
  siteDatabase: z
    .union(Object.values(siteAdapters).map(({ schema }) => schema))
    .default({ kind: "embedded", file: "site.sqlite", plainText: false })
    .register(z.globalRegistry, { description: "Where the recovery keys are." }),
  masterKey: masterKeyPlace.optional().register(z.globalRegistry, {
    description:
      "The embedded site database's master key, in a file outside the data directory. The first line of a `passwordFile` is a password, from which the key is derived by scrypt. SQL Server has its own.",
    leftOut: "none: the embedded site database needs one",
    examples: [{ file: "/etc/pep/master-key" }, { passwordFile: "/run/credentials/pep.service/master-password" }],
  }),
  trustedUserCAKeys: z
    .string()
    .optional()
    .register(z.globalRegistry, {
      description: "Public keys of authorities. Their certificates log users in (OpenSSH's TrustedUserCAKeys).",
      leftOut: "none is trusted",
      examples: ["trusted-user-ca-keys"],
    }),
  revokedKeys: z
    .string()
    .optional()
    .register(z.globalRegistry, {
      description: "A KRL or a list of public keys (OpenSSH's RevokedKeys). While it can't be read, nobody can log in.",
      leftOut: "none is revoked",
      examples: ["revoked"],
    }),
  perSourcePenalties: perSourcePenalties.prefault({}),
  perSourcePenaltyExemptList: perSourcePenaltyExemptList
    .optional()
    .register(z.globalRegistry, { leftOut: "nobody; in a demo loopback", examples: [["192.0.2.7", "2001:db8::/32"]] }),
  syslog: syslogReceiver.optional().register(z.globalRegistry, {
    description: "The receiver of the record, a SIEM.",
    leftOut: "the record is sent nowhere",
  }),
  secondFactorKey: z
    .string()
    .optional()
    .register(z.globalRegistry, {
      description: "The key that seals second factors. It lies outside the data directory.",
      leftOut: "`DIR.second-factor-key`, beside the data directory",
      examples: ["/etc/pep/second-factor-key"],
    }),
  backupDirectory: z.string().register(z.globalRegistry, {
    description: "Where `backup-cert` writes. It lies outside the data directory.",
    leftOut: "must be given; `pep init` writes it",
    examples: ["/srv/pep/backup"],
  }),
  auditReserveMiB: z
    .number()
    .int()
    .min(1)
    .max(1024 * 1024)
    .optional()
    .register(z.globalRegistry, {
      description:
        "Free space that is kept for the record. Below it no session starts, and below half of it running ones end.",
      unit: "MiB",
      leftOut: `${reserveMiB}; ${demoReserveMiB} in a demo`,
      examples: [2000],
    }),
  transcriptLimitMiB: z
    .number()
    .int()
    .min(1)
    .max(4096)
    .default(64)
    .register(z.globalRegistry, { description: "A session ends when its transcript is this long.", unit: "MiB" }),
  verifyRecordHours: z.number().int().min(1).max(500).default(24).register(z.globalRegistry, {
    description:
      "The running server verifies the whole record after its start, and again this long after each good result.",
    unit: "hours",
  }),
  connectionsPerUser: z
    .number()
    .int()
    .min(1)
    .max(512)
    .default(64)
    .register(z.globalRegistry, { description: "Connections that one user may have at a time.", unit: "connections" }),
  recordMiBPerHour: z.number().int().min(1).max(65_536).default(64).register(z.globalRegistry, {
    description: "What one user may put on the record, log and transcripts. Disclosures don't count here.",
    unit: "MiB an hour",
  }),
  sessionsPerMinute: z.number().int().min(1).max(100_000).default(600).register(z.globalRegistry, {
    description: "Sessions of one user that may begin. Further ones wait their turn.",
    unit: "sessions a minute",
  }),
  connectionIdleMinutes: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 60)
    .default(60)
    .register(z.globalRegistry, {
      description: "A connection without a session (ControlMaster) ends after this.",
      unit: "minutes",
    }),
  spareUiProcesses: z
    .number()
    .int()
    .min(0)
    .max(16)
    .default(2)
    .register(z.globalRegistry, { description: "UI processes that wait for the next log-in.", unit: "processes" }),
  userInterface: z
    .strictObject({
      accounts: z
        .strictObject({
          first: z
            .number()
            .int()
            .min(1)
            .max(4_294_967_293)
            .register(z.globalRegistry, { description: "The first uid, and gid.", unit: "uid", examples: [70_000] }),
          count: z
            .number()
            .int()
            .min(1)
            .max(4096)
            .register(z.globalRegistry, {
              description: "The number of accounts, and so of screens at a time.",
              unit: "uids",
              examples: [200],
            }),
        })
        .default({ first: 60_736, count: 448 })
        .register(z.globalRegistry, {
          description: "Uids, and gids of the same numbers, one for each UI process. Nobody else may have them.",
        }),
      acceptSharedAccount: z.boolean().default(false).register(z.globalRegistry, {
        description: "Let all UI processes share one account where they can't have their own. A demo accepts it.",
      }),
    })
    .prefault({})
    .register(z.globalRegistry, { description: "How the processes of screens run." }),
  demo: z.boolean().default(false).register(z.globalRegistry, {
    description:
      "Made by `pep init --demo`. Its master key may lie in the data directory, and it listens on loopback only.",
  }),
});

/** The schema of endpoint.json as it is written, for the documents. */
export const endpointJsonSchema = (): unknown => z.toJSONSchema(endpointFile, { io: "input" });

const mebibyte = 1024 * 1024;

export type EndpointFile = z.input<typeof endpointFile>;

export interface Configuration {
  readonly dataDirectory: string;
  readonly endpointName: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly siteDatabase: Site;
  readonly trustedUserCAKeys: string | undefined;
  readonly revokedKeys: string | undefined;
  readonly penalties: PenaltySettings;
  readonly syslog: SyslogReceiver | undefined;
  readonly secondFactorKey: string;
  readonly backupDirectory: string;
  readonly auditReserveBytes: number;
  readonly transcriptLimitBytes: number;
  readonly verifyRecordMs: number;
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
  if (!file.demo && liesIn(dataDirectory, secondFactorKey)) {
    throw new EndpointError(
      "InvalidArgument",
      `${path}: secondFactorKey must lie outside the data directory, so that a copy of the directory does not contain it.`,
    );
  }
  const backupDirectory = from(file.backupDirectory);
  if (liesIn(dataDirectory, backupDirectory)) {
    throw new EndpointError("InvalidArgument", `${path}: backupDirectory must lie outside the data directory.`);
  }
  const { accounts } = file.userInterface;
  return {
    dataDirectory,
    endpointName: file.endpointName,
    listen: parseListen(file.listen),
    siteDatabase: resolveSite(file.siteDatabase, { path, dataDirectory, demo: file.demo, masterKey: file.masterKey }),
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
    verifyRecordMs: file.verifyRecordHours * 60 * 60_000,
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
