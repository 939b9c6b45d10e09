import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqlServerSiteDatabase } from "../../../server/site-database/sql-server/configuration.ts";
import { openSqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import type { OpenSqlServer, SqlServerSiteDatabase } from "../../../server/site-database/sql-server/database.ts";
import { makeTestCertificates } from "../../harness/tds-server/certificates.ts";
import type { TestCertificates } from "../../harness/tds-server/certificates.ts";
import type { FaultPlan } from "../../harness/tds-server/faults.ts";
import { makeCertificatePair } from "../../harness/tds-server/model/certificate-files.ts";
import type { CertificatePair } from "../../harness/tds-server/model/certificate-files.ts";
import { startModelSite } from "../../harness/tds-server/model-site.ts";
import type { ModelSite, ModelSiteOptions } from "../../harness/tds-server/model-site.ts";
import type { TdsServer } from "../../harness/tds-server/server.ts";
import { passwordOf } from "../fixture.ts";

/** A model site behind the test server, and adapters to it. */
export interface StartedSite {
  readonly model: ModelSite;
  readonly server: TdsServer;
  readonly certificates: TestCertificates;
  /** Another adapter to the same server: configuration, and what else it is opened with. */
  open(changes?: object, options?: Partial<OpenSqlServer>): Promise<SqlServerSiteDatabase>;
  dispose(): Promise<void>;
}

/** Made once in a test file: openssl takes longer than most of its tests. */
let tls: TestCertificates | undefined;
let pair: Promise<CertificatePair> | undefined;

export const siteCertificate = (): Promise<CertificatePair> => (pair ??= makeCertificatePair());

export const startSite = async (
  options: Partial<ModelSiteOptions> & { readonly faults?: FaultPlan } = {},
): Promise<StartedSite> => {
  const directory = await mkdtemp(join(tmpdir(), "pep-tds-"));
  const certificates = (tls ??= makeTestCertificates(directory));
  await writeFile(join(directory, "authority.pem"), certificates.authority);
  await writeFile(join(directory, "password"), "Geheim-17!\n", { mode: 0o600 });
  const model = await startModelSite({
    certificate: await siteCertificate(),
    tls: certificates.server,
    ...options,
  });
  const { server } = model;
  const opened: SqlServerSiteDatabase[] = [];
  return {
    model,
    server,
    certificates,
    open: async (changes = {}, opening = {}) => {
      const configuration = sqlServerSiteDatabase.parse({
        kind: "sqlServer",
        server: "localhost",
        port: server.port,
        database: "CM_PEP",
        ca: join(directory, "authority.pem"),
        authentication: { type: "default", userName: "pep", password: { file: join(directory, "password") } },
        ...changes,
      });
      const database = await openSqlServerSiteDatabase({
        configuration,
        resolvePath: (path) => path,
        credentialsDirectory: undefined,
        // Soon, so that a test of a fault does not take as long as an operator would wait.
        backOff: { firstMs: 1, longestMs: 1 },
        cancelTimeoutMs: 300,
        ...opening,
      });
      opened.push(database);
      return database;
    },
    dispose: async () => {
      for (const database of opened) await database.close();
      const problems = server.problems();
      await server.close();
      await rm(directory, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(`the test server made no sense of: ${problems.join("; ")}`);
    },
  };
};

/** A site with so many numbered keys, one a computer. */
export const startNumberedSite = (keys: number, faults: FaultPlan = {}): Promise<StartedSite> =>
  startSite({ numbered: { keys, recoveryKey: passwordOf(7) }, faults });

/** Connections on loan: none, when nothing leaks. */
export const leasedBy = (database: SqlServerSiteDatabase): number => database.connections.searches.counts().leased;
