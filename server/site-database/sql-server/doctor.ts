import { EndpointError } from "../../errors.ts";
import type { CertificateFinding } from "../../command/site-database.ts";
import { CertificateFindings } from "../certificate-findings.ts";
import { failedCheck, passed } from "../findings.ts";
import type { SqlServerSiteDatabase } from "./database.ts";
import { plural } from "../../model/plural.ts";
import { countClosedKeys } from "./count-closed-keys.ts";
import { introspectPermissions } from "./introspection-statements.ts";
import type { Site } from "./introspection.ts";
import type { RowBatch } from "./row-feed.ts";
import type { SiteConnections } from "./site-connections.ts";

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

const connectionFinding = (name: string, error: unknown): CertificateFinding => {
  const reason = error instanceof EndpointError ? reasonOf(error) : String(error);
  const hint = hints.find(([pattern]) => pattern.test(reason))?.[1] ?? "";
  return failedCheck(name, `No connection. ${hint} (${reason})`);
};

const judgeSite = (findings: CertificateFindings, { session, missing }: Site, database: string): void => {
  const { databaseName, majorVersion, isWritable, loginName, userName } = session;
  findings.add(passed("login", `Logged in as ${loginName}, in the database as ${userName}.`));
  findings.required(
    "database",
    databaseName.toLowerCase() === database.toLowerCase(),
    `In the database ${databaseName}, SQL Server version ${majorVersion}.`,
    `In the database ${databaseName} instead of ${database}.`,
  );
  findings.required(
    "primary",
    isWritable,
    "The database is writable here.",
    "The database is read-only here: keys can't be marked as disclosed. Connect to the listener or the primary.",
  );
  if (missing.length === 0) findings.add(passed("objects", "Every table, function and procedure is there."));
  findings.add(...missing.map((finding) => failedCheck("objects", finding)));
};

const judgeClock = (findings: CertificateFindings, { session: { serverTime } }: Site): void => {
  const skewMs = new Date(`${serverTime.slice(0, 23)}Z`).getTime() - Date.now();
  const skewSeconds = Math.round(Math.abs(skewMs) / 1000);
  findings.advice(
    "clock",
    Math.abs(skewMs) <= farthestClockSkewMs,
    `The clocks differ by ${skewSeconds} s.`,
    `The server's clock is ${skewSeconds} s ${skewMs > 0 ? "ahead" : "behind"}: times on the record and in the database won't match.`,
  );
};

const judgePermissions = (findings: CertificateFindings, rows: RowBatch["rows"]): void => {
  for (const [permission, wanted, held] of rows) {
    const name = String(permission);
    // Too much is advice: the endpoint works. Too little is not.
    if (wanted === 1) {
      const lacks = `Lacks ${name}: see server/site-database/sql/run-as-login.sql.`;
      findings.required("permission", held === 1, `Has ${name}.`, lacks);
    } else {
      const has = `Has ${name}. Reading and disclosing keys does not need it; administering the certificate may.`;
      findings.advice("permission", held !== 1, `Has no ${name}, as it should be.`, has);
    }
  }
};

/** What the configuration says of the server. */
interface Expected {
  readonly database: string;
  readonly encrypt: "strict" | true;
  /** Tries every key, and not only for a minute. */
  readonly whole: boolean;
}

/** One look at one pool's server: reachable, TLS, login, database, objects, clock, permissions. */
const examineServer = async (
  name: string,
  connections: SiteConnections,
  { database, encrypt }: Omit<Expected, "whole">,
  signal: AbortSignal,
): Promise<readonly CertificateFinding[]> => {
  try {
    return await connections.use(signal, async ({ connection }, site) => {
      const findings = new CertificateFindings();
      const tls = encrypt === "strict" ? "TLS before the first byte (TDS 8.0)" : "TLS 1.2";
      findings.add(passed(name, `Connected with ${tls}; the certificate's chain and name are right.`));
      judgeSite(findings, site, database);
      judgeClock(findings, site);
      judgePermissions(findings, await connection.rows(introspectPermissions(), { signal }));
      return findings.all;
    });
  } catch (error) {
    return [connectionFinding(name, error)];
  }
};

const tryKeysForMs = 60_000;

/** How many keys no certificate opens. Nobody else says it: Configuration Manager gives nothing for such a key, and no error. */
const examineKeys = async (
  { connections: { writes } }: SqlServerSiteDatabase,
  whole: boolean,
  signal: AbortSignal,
): Promise<CertificateFinding> => {
  const within = whole ? Number.POSITIVE_INFINITY : tryKeysForMs;
  const { tried, closed, firstClosed, stoppedAt } = await countClosedKeys(writes, within, signal);
  const keys = plural(tried, "recovery key");
  const rest =
    stoppedAt === undefined ? "" : " Only these were tried within a minute: pep doctor --whole tries every key.";
  if (closed > 0)
    return failedCheck(
      "cells",
      `No certificate here opens ${closed} of ${keys}${firstClosed === undefined ? "" : ` (the first is ${firstClosed})`}: the master key is closed, ` +
        `CONTROL is missing, or another certificate encrypted them.${rest}`,
    );
  return passed("cells", `${stoppedAt === undefined ? "All" : "The first"} ${keys} open with the certificate.${rest}`);
};

/** What is wrong with the site database, in words. Never throws for what it finds. */
export const examineSqlServer = async (
  site: SqlServerSiteDatabase,
  expected: Expected,
  signal: AbortSignal,
): Promise<readonly CertificateFinding[]> => {
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
    findings.push(await examineKeys(site, expected.whole, signal));
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
    findings.push(failedCheck("certificate", `The certificate could not be looked at (${reasonOf(error)})`));
  }
  return findings;
};
