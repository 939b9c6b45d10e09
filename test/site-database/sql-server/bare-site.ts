import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlServerSiteDatabase } from "../../../server/site-database/sql-server/configuration.ts";
import { openSqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { OpenSqlServer, SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { OnQuery } from "../../harness/tds-server/answer.ts";
import { makeTestCertificates } from "../../harness/tds-server/certificates.ts";
import type { TestCertificates } from "../../harness/tds-server/certificates.ts";
import type { Faults, FaultPlan } from "../../harness/tds-server/faults.ts";
import type { Respond } from "../../harness/tds-server/respond.ts";
import type { TdsRequest } from "../../harness/tds-server/rpc.ts";
import { startTdsServer } from "../../harness/tds-server/server.ts";
import type { TdsServer } from "../../harness/tds-server/server.ts";
import { passwordOf } from "../fixture.ts";
import { answerCatalogue, columns, keyColumns, nameOf, parameter, result } from "./catalogue.ts";

/*
 * A site with nothing in it but numbered keys, for what happens between driver and server: faults, floods, broken
 * connections. What the statements mean is the model site's business, not this one's.
 */

const keyText = passwordOf(7);

/** The id of a numbered key; ids sort as their numbers do. */
export const keyIdOf = (number: number): string =>
  `${number.toString(16).toUpperCase().padStart(8, "0")}-0000-4000-8000-000000000000`;

const answerKeys = async (request: TdsRequest, respond: Respond, rows: number): Promise<void> => {
  const after = parameter(request, "afterKeyId");
  const first = typeof after === "string" ? Number.parseInt(after.slice(0, 8), 16) + 1 : 0;
  const last = Math.min(rows, first + Number(parameter(request, "pageRows")));
  respond.columns(keyColumns);
  for (let i = first; i < last; i += 1)
    await respond.row([keyIdOf(i), `PC-${i}`, String(i), String(i), 1, "2026-11-22T09:30:00.123", false, keyText]);
};

const answer = async (request: TdsRequest, respond: Respond, rows: number): Promise<void> => {
  if (await answerCatalogue(request, respond)) return;
  const name = nameOf(request);
  switch (name) {
    case "count-keys":
      return result(respond, columns({ KeyCount: "bigint" }), [[BigInt(rows)]]);
    case "read-keys-by-id":
    case "find-keys-by-id":
      return answerKeys(request, respond, rows);
    case "RecoveryAndHardwareRead.GetRecoveryKey":
      return result(respond, columns({ RecoveryKeyId: "varchar(36)", RecoveryKey: "nvarchar(55)" }), [
        [parameter(request, "RecoveryKeyId"), keyText],
      ]);
    default:
      throw new Error(`the bare site does not answer ${name}`);
  }
};

export interface BareSite {
  readonly server: TdsServer;
  readonly certificates: TestCertificates;
  /** Another adapter to the same server. */
  open(changes?: object, options?: Partial<OpenSqlServer>): Promise<SqlServerSiteDatabase>;
  setFaults(faults: FaultPlan): void;
  dispose(): Promise<void>;
}

/** Soon, so that a test of a fault does not take as long as an operator would wait. */
const shortTimeouts = { connectTimeoutMs: 2000, requestTimeoutMs: 1000, stallTimeoutMs: 1000 };

/** Made once in a test file: openssl takes longer than most of its tests. */
let made: TestCertificates | undefined;

export const startBareSite = (rows: number, faults: Faults = {}): Promise<BareSite> =>
  startSite((request, respond) => answer(request, respond, rows), faults);

/** A TDS server that answers like this, and adapters to it. */
export const startSite = async (onQuery: OnQuery, faults: Faults = {}): Promise<BareSite> => {
  const directory = await mkdtemp(join(tmpdir(), "pep-tds-"));
  const certificates = (made ??= makeTestCertificates(directory));
  await writeFile(join(directory, "authority.pem"), certificates.authority);
  await writeFile(join(directory, "password"), "Geheim-17!\n", { mode: 0o600 });
  const server = await startTdsServer({
    tls: certificates.server,
    faults,
    onQuery,
  });
  const opened: SqlServerSiteDatabase[] = [];
  return {
    server,
    certificates,
    setFaults: (plan) => server.setFaults(plan),
    open: async (changes = {}, options = {}) => {
      const configuration = sqlServerSiteDatabase.parse({
        kind: "sqlServer",
        server: "localhost",
        port: server.port,
        database: "CM_PEP",
        ca: join(directory, "authority.pem"),
        authentication: { type: "default", userName: "pep", password: { file: join(directory, "password") } },
        ...shortTimeouts,
        ...changes,
      });
      const database = await openSqlServerSiteDatabase({
        configuration,
        resolvePath: (path) => path,
        credentialsDirectory: undefined,
        backOff: { firstMs: 1, longestMs: 1 },
        cancelTimeoutMs: 300,
        ...options,
      });
      opened.push(database);
      return database;
    },
    dispose: async () => {
      for (const database of opened) await database.close();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};

/** What a connection's end on either side looks like when nothing leaks: no loan is open. */
export const leasedBy = (database: SqlServerSiteDatabase): number => database.connections.searches.counts().leased;
