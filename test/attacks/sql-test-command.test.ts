import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shareOf } from "../harness/share.ts";
import { makeTestCertificates } from "../harness/tds-server/certificates.ts";
import type { TestCertificates } from "../harness/tds-server/certificates.ts";
import type { TdsRequest } from "../harness/tds-server/rpc.ts";
import { startTdsServer } from "../harness/tds-server/server.ts";

/*
 * ATTACK  Nobody's: an operator wants to know whether the endpoint works with a real SQL Server, and gives the test command the
 *         configuration of the site.
 * DANGER  The tests empty the tables of recovery keys and drop BitLockerManagement_CERT: every key of the site is lost.
 * EXPECT  Not one statement that writes arrives, unless the database is called CM_PEP… and holds the marker with the id that
 *         the model script printed. Each statement of the tests that writes asks for both again, in its own batch.
 */

const root = join(import.meta.dirname, "..", "..");
const runId = "0123456789ABCDEF0123456789ABCDEF";
const writes = /\b(?:alter|backup|create|delete|deny|drop|exec|execute|grant|insert|merge|revoke|truncate|update)\b/i;

let directory: string;
let certificates: TestCertificates;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pep-sql-test-"));
  certificates = makeTestCertificates(directory);
  await writeFile(join(directory, "authority.pem"), certificates.authority);
  await writeFile(join(directory, "vitest.config.mjs"), "export default { test: { testTimeout: 3000 } };\n");
  await writeFile(join(directory, "password"), "Geheim-17!\n", { mode: 0o600 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Tried {
  readonly succeeded: boolean;
  readonly output: string;
  readonly requests: readonly TdsRequest[];
}

/** Runs the test command as `npm run test:sqlserver` does, against a server that says yes to everything. */
const runTestCommand = async (server: { database: string; isModel: 0 | 1; run?: string }): Promise<Tried> => {
  const tds = await startTdsServer({
    tls: certificates.server,
    onQuery: async ({ text }, respond) => {
      if (!text.includes("is_model")) return;
      respond.columns([{ name: "is_model", type: "int" }]);
      await respond.row([server.isModel]);
    },
  });
  const configuration = join(directory, "site.json");
  await writeFile(
    configuration,
    JSON.stringify({
      kind: "sqlServer",
      server: "localhost",
      port: tds.port,
      database: server.database,
      ca: join(directory, "authority.pem"),
      authentication: { type: "default", userName: "pep", password: { file: join(directory, "password") } },
    }),
  );
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const file = join("test", "site-database", "sql-server", "real-server.test.ts");
  const env = {
    ...process.env,
    PEP_TEST_SQLSERVER: configuration,
    ...(server.run === undefined ? {} : { PEP_TEST_SQLSERVER_RUN: server.run }),
  };
  try {
    const { succeeded, output } = await new Promise<Omit<Tried, "requests">>((resolve) => {
      // Without the project's configuration, which would build what other tests are running at this moment.
      const args = [
        vitest,
        "run",
        `--config=${join(directory, "vitest.config.mjs")}`,
        `--root=${root}`,
        "--bail=3",
        file,
      ];
      execFile(process.execPath, args, { cwd: root, env }, (error, stdout, stderr) =>
        resolve({ succeeded: error === null, output: `${stdout}\n${stderr}` }),
      );
    });
    return { succeeded, output, requests: tds.requests() };
  } finally {
    await tds.close();
  }
};

const writing = ({ requests }: Tried): readonly string[] =>
  requests.map(({ text, procedure }) => text || procedure).filter((text) => writes.test(text));

describe("the test command", { timeout: 60_000 }, () => {
  const refused = [
    ["a site's database", { database: "CM_ABC", isModel: 1, run: runId }, "CM_PEP"],
    ["a site's database, and no id", { database: "CM_ABC", isModel: 1 }, "PEP_TEST_SQLSERVER_RUN"],
    ["a database named as one of tests, and no id", { database: "CM_PEP", isModel: 1 }, "PEP_TEST_SQLSERVER_RUN"],
    [
      "an id that closes its quotes",
      { database: "CM_PEP", isModel: 1, run: "x') IS NULL --" },
      "PEP_TEST_SQLSERVER_RUN",
    ],
    ["a site whose code is PEP, without the marker", { database: "CM_PEP", isModel: 0, run: runId }, "marker"],
  ] as const;
  // Each starts vitest, which takes seconds of a processor.
  test.each(shareOf(refused, 2))("given %s, writes nothing and says why", async (_name, server, reason) => {
    const tried = await runTestCommand(server);
    expect(writing(tried)).toEqual([]);
    expect(tried.succeeded).toBe(false);
    expect(tried.output).toContain(reason);
  });

  test("given a model's database, asks for name and marker in each batch that writes", async () => {
    const tried = await runTestCommand({ database: "CM_PEP1", isModel: 1, run: runId });
    // The product's own statements begin with their name; those of the tests are what destroys.
    const ofTests = writing(tried).filter((text) => !text.startsWith("/* pep:"));
    expect(ofTests.some((text) => text.includes("DELETE FROM dbo.RecoveryAndHardwareCore_Keys"))).toBe(true);
    for (const text of ofTests) {
      expect(text).toMatch(/^SET XACT_ABORT ON;\nIF DB_NAME\(\) NOT LIKE N'CM\[_\]PEP%' OR OBJECT_ID\(/);
      expect(text.slice(0, text.indexOf("THROW"))).toContain(runId);
    }
  });
});
