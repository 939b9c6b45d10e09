import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { sqlServerSiteDatabase } from "../../../server/site-database/sql-server/configuration.ts";
import type { OpenSqlServer } from "../../../server/site-database/sql-server/database.ts";
import { SqlConnection } from "../../../server/site-database/sql-server/connection.ts";
import { driverSettings } from "../../../server/site-database/sql-server/connection-settings.ts";
import { loadDriver } from "../../../server/site-database/sql-server/driver.ts";
import { text } from "../../../server/site-database/sql-server/statement.ts";
import type { Statement } from "../../../server/site-database/sql-server/statement.ts";
import { neverStopped } from "../fixture.ts";

/** A database that model-schema.sql made for these tests: the only one in which they may write. */
export interface ModelDatabase {
  readonly places: Pick<OpenSqlServer, "configuration" | "resolvePath" | "credentialsDirectory">;
  /** Runs a statement, if its own batch finds the model's name and marker. */
  readonly run: (sql: string, values?: Readonly<Record<string, string | null>>) => Promise<void>;
  readonly close: () => Promise<void>;
}

const nameOfTests = /^CM_PEP/i;
const runIdPattern = /^[0-9A-F]{32}$/i;

/** The marker's id stands in its name, so that asking for it needs no table to be there when a batch is compiled. */
const isNoModel = (runId: string): string =>
  `DB_NAME() NOT LIKE N'CM[_]PEP%' OR OBJECT_ID(N'dbo.PepModelRun_${runId}', N'U') IS NULL`;

const guarded = (runId: string, sql: string): string =>
  `SET XACT_ABORT ON;
IF ${isNoModel(runId)}
BEGIN
    THROW 50000, 'Not the database that the model script made for this run: nothing is written.', 1;
END;
${sql}`;

/**
 * Opens the database that the file at `path` names. Throws before anything is sent unless the file names a database of tests
 * and the id is one, and before anything is written unless the server says that this is the model of this run.
 */
export const openModelDatabase = async (path: string, runId: string | undefined): Promise<ModelDatabase> => {
  if (runId === undefined || !runIdPattern.test(runId))
    throw new Error("PEP_TEST_SQLSERVER_RUN must be the id that model-schema.sql printed for this run");
  const configuration = sqlServerSiteDatabase.parse(JSON.parse(readFileSync(path, "utf8")));
  if (!nameOfTests.test(configuration.database))
    throw new Error(`${configuration.database} is no database of tests: its name must begin with CM_PEP`);
  const places = {
    configuration,
    resolvePath: (relative: string) => resolve(dirname(path), relative),
    credentialsDirectory: undefined,
  };
  const connection = await SqlConnection.open(
    await loadDriver(),
    await driverSettings(configuration, places, { readOnlyIntent: false, cancelTimeoutMs: 5000 }),
    { requestTimeoutMs: 30_000, stallTimeoutMs: 30_000, cancelTimeoutMs: 5000 },
    () => undefined,
  );
  const send = (statement: Statement) => connection.all(statement, { signal: neverStopped });
  const asked = `SELECT CASE WHEN ${isNoModel(runId)} THEN 0 ELSE 1 END AS is_model`;
  const [answer] = await send({ name: "test-setup", kind: "batch", text: asked, parameters: {} });
  if (answer?.rows[0]?.[0] !== 1) {
    connection.close();
    throw new Error(`${configuration.database} holds no marker with this id: model-schema.sql did not make it`);
  }
  return {
    places,
    run: async (sql, values) => {
      const statement = { name: "test-setup", text: guarded(runId, sql) };
      await send(
        values === undefined
          ? { ...statement, kind: "batch", parameters: {} }
          : {
              ...statement,
              kind: "query",
              parameters: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)])),
            },
      );
    },
    close: async () => connection.close(),
  };
};
