import { EndpointError } from "../../errors.ts";
import type { CertificateFinding } from "../../command/site-database.ts";
import type { SqlServerSiteDatabase } from "./database.ts";
import { introspectPermissions } from "./introspection-statements.ts";
import type { Site } from "./introspection.ts";
import type { Lease } from "./pool.ts";
import type { SiteConnections } from "./site-connections.ts";

/** As a finding of the certificate; for the administrator of the machine, so it may name servers and logins. */
export type DoctorFinding = CertificateFinding;

const farthestClockSkewMs = 60_000;

const reasonOf = (error: EndpointError): string => (error.cause instanceof Error ? error.cause.message : error.message);

/** What to look at, by what the driver said. */
const hints: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/ENOTFOUND|EAI_AGAIN/, "The server's name is not known here: check siteDatabase.server and DNS."],
  [/ECONNREFUSED/, "Nothing listens there: check the port, the instance and the firewall."],
  [/EINSTLOOKUP/, "The SQL Server Browser did not answer (UDP 1434): configure the port instead of instanceName."],
  [
    /ALTNAME_INVALID/,
    "The certificate is for another name: set siteDatabase.serverName, or give the server a matching certificate.",
  ],
  [
    /UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET_ISSUER|CERT_|certificate/i,
    "The certificate's chain is not trusted: put the issuing authority's PEM file into siteDatabase.ca.",
  ],
  [/EENCRYPT/, "The server does not offer TLS, or somebody on the way took it out. The login was not sent."],
  [
    /error 18\d{3}/,
    "The login was refused: check the user name, the password file and the server's authentication mode.",
  ],
  [/error (4060|916)\b/, "The login may not open the database: map it to a user there."],
  [/ETIMEOUT/, "No answer in time: check the port and the firewall."],
];

const connectionFinding = (name: string, error: unknown): DoctorFinding => {
  const reason = error instanceof EndpointError ? reasonOf(error) : String(error);
  const hint = hints.find(([pattern]) => pattern.test(reason))?.[1] ?? "";
  return { check: name, weight: "required", passed: false, finding: `No connection. ${hint} (${reason})` };
};

const judgeSite = ({ session, missing }: Site, database: string, clockSkewMs: number): readonly DoctorFinding[] => {
  const skewSeconds = Math.round(Math.abs(clockSkewMs) / 1000);
  const sameDatabase = session.databaseName.toLowerCase() === database.toLowerCase();
  return [
    {
      check: "login",
      weight: "required",
      passed: true,
      finding: `Logged in as ${session.loginName}, in the database as ${session.userName}.`,
    },
    {
      check: "database",
      weight: "required",
      passed: sameDatabase,
      finding: sameDatabase
        ? `In the database ${session.databaseName}, SQL Server version ${session.majorVersion}.`
        : `In the database ${session.databaseName} instead of ${database}.`,
    },
    {
      check: "primary",
      weight: "required",
      passed: session.isWritable,
      finding: session.isWritable
        ? "The database is writable here."
        : "The database is read-only here: keys can't be marked as disclosed. Connect to the listener or the primary.",
    },
    ...(missing.length === 0
      ? [
          {
            check: "objects",
            weight: "required",
            passed: true,
            finding: "Every table, function and procedure is there.",
          } as const,
        ]
      : missing.map((finding) => ({ check: "objects", weight: "required", passed: false, finding }) as const)),
    {
      check: "clock",
      weight: "advice",
      passed: Math.abs(clockSkewMs) <= farthestClockSkewMs,
      finding:
        Math.abs(clockSkewMs) <= farthestClockSkewMs
          ? `The clocks differ by ${skewSeconds} s.`
          : `The server's clock is ${skewSeconds} s ${clockSkewMs > 0 ? "ahead" : "behind"}: times on the record and in the database won't match.`,
    },
  ];
};

const askPermissions = async ({ connection }: Lease, signal: AbortSignal): Promise<readonly DoctorFinding[]> => {
  const rows = (await connection.all(introspectPermissions(), { signal })).flatMap((batch) => batch.rows);
  return rows.map(([permission, wanted, held]) => {
    const passed = (held === 1) === (wanted === 1);
    const name = String(permission);
    const finding =
      wanted === 1
        ? passed
          ? `Has ${name}.`
          : `Lacks ${name}: see server/site-database/sql/run-as-login.sql.`
        : passed
          ? `Has no ${name}, as it should be.`
          : `Has ${name}. Reading and disclosing keys does not need it; administering the certificate may.`;
    // Too much is advice: the endpoint works. Too little is not.
    return { check: "permission", weight: wanted === 1 ? "required" : "advice", passed, finding } as const;
  });
};

/** What the configuration says of the server. */
interface Expected {
  readonly database: string;
  readonly encrypt: "strict" | true;
}

/** One look at one pool's server: reachable, TLS, login, database, objects, clock, permissions. */
const examineServer = async (
  name: string,
  connections: SiteConnections,
  { database, encrypt }: Expected,
  signal: AbortSignal,
): Promise<readonly DoctorFinding[]> => {
  try {
    return await connections.use(signal, async (lease, site) => {
      const clockSkewMs = new Date(`${site.session.serverTime.slice(0, 23)}Z`).getTime() - Date.now();
      return [
        {
          check: name,
          weight: "required",
          passed: true,
          finding: `Connected with ${encrypt === "strict" ? "TLS before the first byte (TDS 8.0)" : "TLS 1.2"}; the certificate's chain and name are right.`,
        } as const,
        ...judgeSite(site, database, clockSkewMs),
        ...(await askPermissions(lease, signal)),
      ];
    });
  } catch (error) {
    return [connectionFinding(name, error)];
  }
};

/** What is wrong with the site database, in words. Never throws for what it finds. */
export const examineSqlServer = async (
  site: SqlServerSiteDatabase,
  expected: Expected,
  signal: AbortSignal,
): Promise<readonly DoctorFinding[]> => {
  const { writes, searches } = site.connections;
  const findings = [...(await examineServer("connection", writes, expected, signal))];
  if (searches !== writes) {
    const replica = await examineServer("read-only-connection", searches, expected, signal);
    // Whether it is writable says nothing there, and permissions are the primary's.
    findings.push(...replica.filter(({ check }) => check === "read-only-connection" || check === "clock"));
  }
  if (findings[0]?.passed !== true) return findings;
  try {
    findings.push(...(await site.verifyCertificate(signal)).findings);
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    findings.push({
      check: "certificate",
      weight: "required",
      passed: false,
      finding: `The certificate could not be looked at (${reasonOf(error)})`,
    });
  }
  return findings;
};
