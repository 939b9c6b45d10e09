import * as z from "zod";

const name = (example: string) =>
  z
    .string()
    .min(1)
    .max(128)
    .register(z.globalRegistry, { examples: [example] });

/** A password never stands in the configuration: it is the first line of a file, or of a systemd credential. */
const secretSource = z
  .union([
    z.strictObject({ file: z.string().min(1) }),
    z.strictObject({ credential: z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/, "must be a credential's name") }),
  ])
  .register(z.globalRegistry, {
    description: "The first line of a file, or of a systemd credential (`LoadCredential=`, `SetCredentialEncrypted=`).",
    examples: [{ file: "/etc/pep/sql-password" }, { credential: "sql-password" }],
  });
export type SecretSource = z.infer<typeof secretSource>;

const userName = name("pep");
const clientId = name("00001111-aaaa-2222-bbbb-3333cccc4444");
const tenantId = name("aaaabbbb-0000-cccc-1111-dddd2222eeee");

/** tedious' own types; `token-credential` is left out, as it is an object and not a setting. */
const authentication = z.discriminatedUnion("type", [
  z
    .strictObject({ type: z.literal("default"), userName, password: secretSource })
    .register(z.globalRegistry, { description: "A SQL Server login." }),
  z
    .strictObject({ type: z.literal("ntlm"), domain: name("EXAMPLE"), userName, password: secretSource })
    .register(z.globalRegistry, {
      description:
        "A Windows account, by NTLMv2 without channel binding: a server with Extended Protection set to Required refuses it. The driver has no Kerberos.",
    }),
  z.strictObject({
    type: z.literal("azure-active-directory-password"),
    userName,
    password: secretSource,
    clientId,
    tenantId,
  }),
  z.strictObject({ type: z.literal("azure-active-directory-access-token"), token: secretSource }),
  z.strictObject({
    type: z.literal("azure-active-directory-service-principal-secret"),
    clientId,
    clientSecret: secretSource,
    tenantId,
  }),
  z.strictObject({ type: z.literal("azure-active-directory-msi-vm"), clientId: clientId.optional() }),
  z.strictObject({ type: z.literal("azure-active-directory-msi-app-service"), clientId: clientId.optional() }),
  z.strictObject({ type: z.literal("azure-active-directory-default"), clientId: clientId.optional() }),
]);
export type Authentication = z.infer<typeof authentication>;

const milliseconds = (usual: number, description: string) =>
  z
    .number()
    .int()
    .min(100)
    .max(600_000)
    .default(usual)
    .register(z.globalRegistry, { description, unit: "milliseconds" });

/**
 * `siteDatabase` of endpoint.json where its kind is `sqlServer`. Strict: `trustServerCertificate`, a password, or
 * `"encrypt": false` are errors and not ignored.
 */
export const sqlServerSiteDatabase = z
  .strictObject({
    kind: z.literal("sqlServer"),
    server: z
      .string()
      .regex(/^[A-Za-z0-9._:-]{1,255}$/, "must be a host name or an address; an instance goes into instanceName")
      .register(z.globalRegistry, {
        description: "Name or address. Without `serverName` the certificate must be for it.",
        examples: ["sql.example.com"],
      }),
    port: z
      .number()
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .register(z.globalRegistry, {
        description: "Not together with `instanceName`.",
        unit: "port",
        leftOut: "1433",
        examples: [14_330],
      }),
    instanceName: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_$]{0,15}$/)
      .optional()
      .register(z.globalRegistry, {
        description: "Found by asking the SQL Server Browser (UDP 1434).",
        leftOut: "the default instance",
        examples: ["CM"],
      }),
    database: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be a database's name, as CM_ABC")
      .register(z.globalRegistry, { description: "`CM_` and the site code.", examples: ["CM_ABC"] }),
    encrypt: z
      .union([z.literal("strict"), z.literal(true)])
      .default("strict")
      .register(z.globalRegistry, {
        description:
          "`strict` (TDS 8.0, TLS 1.3) wants SQL Server 2022. `true` does TLS 1.2 inside TDS. TLS can't be switched off.",
      }),
    ca: z
      .string()
      .min(1)
      .optional()
      .register(z.globalRegistry, {
        examples: ["/etc/pep/sql-ca.pem"],
        description: "PEM file of the authorities to trust.",
        leftOut: "the public authorities",
      }),
    serverName: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,255}$/)
      .optional()
      .register(z.globalRegistry, {
        description: "The name that the certificate must be for: an alias, a listener, a routed replica.",
        leftOut: "`server`",
        examples: ["listener.example.com"],
      }),
    authentication: authentication.register(z.globalRegistry, { description: "How the endpoint logs in." }),
    applicationIntent: z.enum(["ReadWrite", "ReadOnly"]).default("ReadWrite").register(z.globalRegistry, {
      description: "`ReadOnly`: searches go to a readable secondary. Writes always go to the primary.",
    }),
    multiSubnetFailover: z
      .boolean()
      .default(false)
      .register(z.globalRegistry, { description: "Connect to all addresses of a listener at once." }),
    connectTimeoutMs: milliseconds(15_000, "Until the connection is there."),
    requestTimeoutMs: milliseconds(30_000, "Until an answer begins."),
    stallTimeoutMs: milliseconds(30_000, "The longest pause within an answer, of the server and of the reader."),
    poolSize: z.number().int().min(1).max(64).default(8).register(z.globalRegistry, {
      description: "Connections at most; twice as many with `applicationIntent` ReadOnly.",
      unit: "connections",
    }),
    serverBackupDirectory: z
      .string()
      .regex(/^(?:[A-Za-z]:\\|\\\\|\/)[^\0-\x1f"<>|?*]{0,200}$/, "must be an absolute path, as D:\\Backup")
      .optional()
      .register(z.globalRegistry, {
        description:
          "A directory as SQL Server sees it. `backup-cert` then has SQL Server write its own files there (certificate and PVK, or PFX).",
        leftOut: "the endpoint writes a copy into its `backupDirectory`",
        examples: ["D:\\Backup"],
      }),
  })
  .refine((file) => file.port === undefined || file.instanceName === undefined, {
    message: "port and instanceName exclude each other",
    path: ["instanceName"],
  });

/** As decoded, paths still as written. */
export type SqlServerConfiguration = z.infer<typeof sqlServerSiteDatabase>;

/** The folders in which relative paths and credentials are looked up. */
export interface Places {
  /** Resolves a path of the configuration file. */
  readonly resolvePath: (path: string) => string;
  /** systemd's $CREDENTIALS_DIRECTORY; undefined where the endpoint runs without. */
  readonly credentialsDirectory: string | undefined;
}
