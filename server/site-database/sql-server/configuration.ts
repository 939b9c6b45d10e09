import * as z from "zod";

const name = z.string().min(1).max(128);
const path = z.string().min(1);

/** A password never stands in the configuration: it is the first line of a file, or of a systemd credential. */
const secretSource = z.union([
  z.strictObject({ file: path }),
  /** Name of a systemd credential (LoadCredential=, SetCredentialEncrypted=). */
  z.strictObject({ credential: z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/, "must be a credential's name") }),
]);
export type SecretSource = z.infer<typeof secretSource>;

/** tedious' own types; `token-credential` is left out, as it is an object and not a setting. */
const authentication = z.discriminatedUnion("type", [
  /** A SQL Server login. */
  z.strictObject({ type: z.literal("default"), userName: name, password: secretSource }),
  /**
   * A Windows account, by NTLMv2 without channel binding: a server with Extended Protection set to Required refuses it. There
   * is no Kerberos in the driver.
   */
  z.strictObject({ type: z.literal("ntlm"), domain: name, userName: name, password: secretSource }),
  z.strictObject({
    type: z.literal("azure-active-directory-password"),
    userName: name,
    password: secretSource,
    clientId: name,
    tenantId: name,
  }),
  z.strictObject({ type: z.literal("azure-active-directory-access-token"), token: secretSource }),
  z.strictObject({
    type: z.literal("azure-active-directory-service-principal-secret"),
    clientId: name,
    clientSecret: secretSource,
    tenantId: name,
  }),
  z.strictObject({ type: z.literal("azure-active-directory-msi-vm"), clientId: name.optional() }),
  z.strictObject({ type: z.literal("azure-active-directory-msi-app-service"), clientId: name.optional() }),
  z.strictObject({ type: z.literal("azure-active-directory-default"), clientId: name.optional() }),
]);
export type Authentication = z.infer<typeof authentication>;

const milliseconds = z.number().int().min(100).max(600_000);

/**
 * `siteDatabase` of endpoint.json where its kind is `sqlServer`. Strict: `trustServerCertificate`, a password, or
 * `"encrypt": false` are errors and not ignored.
 */
export const sqlServerSiteDatabase = z
  .strictObject({
    kind: z.literal("sqlServer"),
    /** Name or address; without `serverName` the certificate must be for it. */
    server: z
      .string()
      .regex(/^[A-Za-z0-9._:-]{1,255}$/, "must be a host name or an address; an instance goes into instanceName"),
    /** 1433 without one; not together with `instanceName`. */
    port: z.number().int().min(1).max(65_535).optional(),
    /** Found by asking the SQL Server Browser (UDP 1434). */
    instanceName: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_$]{0,15}$/)
      .optional(),
    /** `CM_` and the site code. */
    database: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be a database's name, as CM_ABC"),
    /** `strict` (TDS 8.0, TLS 1.3) wants SQL Server 2022; `true` does TLS 1.2 inside TDS. Off does not exist. */
    encrypt: z.union([z.literal("strict"), z.literal(true)]).default("strict"),
    /** PEM file of the authorities to trust, instead of the public ones. */
    ca: path.optional(),
    /** The name that the certificate must be for, where it is not `server`: an alias, a listener, a routed replica. */
    serverName: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,255}$/)
      .optional(),
    authentication,
    /** `ReadOnly`: searches go to a readable secondary. What writes goes to the primary whatever this says. */
    applicationIntent: z.enum(["ReadWrite", "ReadOnly"]).default("ReadWrite"),
    multiSubnetFailover: z.boolean().default(false),
    connectTimeoutMs: milliseconds.default(15_000),
    /** Until an answer begins. */
    requestTimeoutMs: milliseconds.default(30_000),
    /** The longest pause within an answer, of the server and of the reader. */
    stallTimeoutMs: milliseconds.default(30_000),
    /** Connections at most; twice as many with `applicationIntent` ReadOnly. */
    poolSize: z.number().int().min(1).max(64).default(8),
    /**
     * A directory as SQL Server sees it, `D:\Backup` or `\\server\share`: backup-cert then has SQL Server write its own
     * files there (certificate and PVK, or PFX). Without it the endpoint writes a copy into its own backup directory.
     */
    serverBackupDirectory: z
      .string()
      .regex(/^(?:[A-Za-z]:\\|\\\\|\/)[^\0-\x1f"<>|?*]{0,200}$/, "must be an absolute path, as D:\\Backup")
      .optional(),
  })
  .refine((file) => file.port === undefined || file.instanceName === undefined, {
    message: "port and instanceName exclude each other",
    path: ["instanceName"],
  });

/** As decoded, paths still as written. */
export type SqlServerConfiguration = z.infer<typeof sqlServerSiteDatabase>;

/** Where relative paths and credentials begin; given by whoever reads the configuration. */
export interface Places {
  /** Resolves a path of the configuration file. */
  readonly resolvePath: (path: string) => string;
  /** systemd's $CREDENTIALS_DIRECTORY; undefined where the endpoint runs without. */
  readonly credentialsDirectory: string | undefined;
}
