import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TYPES } from "tedious";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { revealSecret } from "../../server/secret.ts";
import { sqlServerSiteDatabase } from "../../server/site-database/sql-server/configuration.ts";
import { openSqlServerSiteDatabase } from "../../server/site-database/sql-server/database.ts";
import { everyStatement } from "../../server/site-database/sql-server/list-sql.ts";
import { pageOfKeys } from "../../server/site-database/sql-server/statements.ts";
import { expectedShape } from "../../server/site-database/sql-server/site-shape.ts";
import type { Statement } from "../../server/site-database/sql-server/statement.ts";
import { makeCertificatePair } from "../harness/tds-server/model/certificate-files.ts";
import type { CertificatePair } from "../harness/tds-server/model/certificate-files.ts";
import type { SiteShape } from "../harness/tds-server/model/state.ts";
import { numberedKeyId } from "../harness/tds-server/model/tables.ts";
import { aliveBytes } from "../harness/memory.ts";
import { startModelSite } from "../harness/tds-server/model-site.ts";
import type { ModelSiteOptions } from "../harness/tds-server/model-site.ts";
import { rounds, shareOf } from "../harness/share.ts";
import { guid, passwordOf } from "../site-database/fixture.ts";
import { describeSiteDatabase, type MakeSiteDatabase } from "../site-database/site-database.contract.ts";
import { ask, certificatesForFile, connect, newRequest, userPassword } from "./client.ts";
import type { ClientParameter } from "./client.ts";

const certificates = certificatesForFile();
let certificate: CertificatePair;
beforeAll(async () => {
  certificate = await makeCertificatePair();
});

const volumeTypeIds = { Unknown: 0, OperatingSystem: 1, FixedData: 2, Removable: 3 } as const;

const shapes: readonly { readonly name: string; readonly shape: Partial<SiteShape>; readonly isPlain?: true }[] = [
  { name: "encrypted, int volumes with a GUID, datetime", shape: {} },
  {
    name: "encrypted, GUIDs throughout, datetime2, one parameter",
    shape: {
      keyIdType: "uniqueidentifier",
      volumeIdType: "uniqueidentifier",
      timeType: "datetime2",
      hasVolumeGuid: false,
      hasTypeName: false,
      decryptParameters: 1,
    },
  },
  { name: "a text column that holds ciphertext", shape: { keyColumn: "varchar" } },
];

// Another one each day. What most sites have is tried every day, in contract.test.ts beside the adapter.
for (const { name, shape } of shareOf(shapes, shapes.length)) {
  const make: MakeSiteDatabase = async (records) => {
    const directory = await mkdtemp(join(tmpdir(), "pep-model-"));
    const site = await startModelSite({ tls: certificates.server, certificate, shape });
    for (const { protector, computerName, volumeId, volumeType, lastUpdateTime, recoveryPackage } of records)
      if (protector.kind === "NumericalPassword")
        site.add({
          computerName,
          keyId: protector.keyId,
          recoveryKey: revealSecret(protector.recoveryPassword),
          volumeTypeId: volumeTypeIds[volumeType],
          recoveryPackage,
          ...(volumeId === undefined ? {} : { volumeGuid: volumeId }),
          ...(lastUpdateTime === undefined ? {} : { lastUpdateTime }),
        });
    await writeFile(join(directory, "password"), `${userPassword}\n`, { mode: 0o600 });
    const database = await openSqlServerSiteDatabase({
      configuration: sqlServerSiteDatabase.parse({
        kind: "sqlServer",
        server: "localhost",
        port: site.server.port,
        database: "CM_PEP",
        ca: certificates.authorityFile,
        authentication: { type: "default", userName: "pep", password: { file: join(directory, "password") } },
      }),
      resolvePath: (path) => path,
      credentialsDirectory: undefined,
      backupDirectory: directory,
      pageRows: 100,
    });
    return {
      database,
      backupDirectory: directory,
      revokeControl: async (principal) => site.revokeControl(principal),
      dropCertificate: async () => {
        site.state.certificates = new Map();
      },
      databaseName: "CM_PEP",
      dispose: async () => {
        await database.close();
        await site.server.close();
        await rm(directory, { recursive: true, force: true });
        const problems = site.server.problems();
        if (problems.length > 0) throw new Error(problems.join("; "));
      },
    };
  };
  describeSiteDatabase(`SQL Server's adapter against the model site (${name})`, make);
}

const start = async (options: Partial<ModelSiteOptions> = {}) => {
  const site = await startModelSite({ tls: certificates.server, certificate, ...options });
  onTestFinished(async () => {
    await site.server.close();
    expect(site.server.problems()).toEqual([]);
  });
  const connection = await connect({ port: site.server.port, ca: certificates.authority });
  const types = { text: TYPES.NVarChar, int: TYPES.Int, bit: TYPES.Bit } as const;
  const parametersOf = (statement: Statement): readonly ClientParameter[] =>
    Object.entries(statement.parameters).map(([name, { type, value }]) => ({ name, type: types[type], value }));
  const kinds = { query: "execSql", batch: "execSqlBatch", procedure: "callProcedure" } as const;
  const send = async (statement: Statement) => {
    const answer = await ask(connection, statement.text, parametersOf(statement), kinds[statement.kind]);
    return { ...answer, number: (answer.error as { number?: unknown } | undefined)?.number };
  };
  return { site, connection, send, parametersOf };
};

const find = (name: string): Statement => {
  const found = everyStatement().find((statement) => statement.name === name);
  if (found === undefined) throw new Error(`no statement ${name}`);
  return found;
};

const encryptedSite = { ...expectedShape, hasVolumeGuid: true };
const anyKey = {
  computerName: undefined,
  passwordId: undefined,
  since: undefined,
  volumeTypeIds: undefined,
  latest: false,
  withState: false,
};
const page = (pageRows: number) => pageOfKeys(encryptedSite, { filter: anyKey, after: undefined, pageRows });

describe("the model site", () => {
  test("answers every statement of the adapter that fits its shape, with the columns that the adapter wants", async () => {
    const { send } = await start({ shape: { hasVolumeGuid: false } });
    const answered = new Set<string>();
    for (const statement of everyStatement()) {
      const { number, columns } = await send(statement);
      // Statements for other shapes of a site: a wrong number of arguments, a column that is not there.
      if (number === 313 || number === 207) continue;
      expect({ name: statement.name, number }).toEqual({ name: statement.name, number: undefined });
      if (statement.columns !== undefined) expect(columns).toEqual([statement.columns]);
      answered.add(statement.name);
    }
    expect(answered).toEqual(new Set(everyStatement().map((statement) => statement.name)));
  });

  test("holds a statement's text against its shape: tables, columns, the function, variables", async () => {
    const { send, site } = await start({ shape: { hasVolumeGuid: false, decryptParameters: 1 } });
    const read = page(10);
    expect((await send({ ...read, text: read.text.replaceAll("_Keys", "_Key") })).number).toBe(208);
    expect((await send(read)).number).toBe(207);
    const narrow = pageOfKeys(expectedShape, { filter: anyKey, after: undefined, pageRows: 10 });
    expect((await send(narrow)).number).toBe(8144);
    const fitting = { ...expectedShape, decryptParameters: 1 } as const;
    const good = pageOfKeys(fitting, { filter: anyKey, after: undefined, pageRows: 10 });
    expect((await send(good)).number).toBeUndefined();
    const { latest: _, ...fewer } = good.parameters;
    expect((await send({ ...good, parameters: fewer })).number).toBe(137);
    site.state.permissions.delete("EXECUTE DecryptString");
    expect((await send(good)).number).toBe(229);
    site.state.permissions.delete("SELECT on the tables");
    expect((await send(good)).number).toBe(229);
  });

  test("a site without the function, or without the procedure, says so", async () => {
    const { send } = await start({ shape: { decryptParameters: 0, hasGetRecoveryKey: false, hasGetTpm: false } });
    expect((await send(page(10))).number).toBe(4121);
    expect((await send(find("get-recovery-key"))).number).toBe(2812);
    const { rows } = await send(find("introspect-objects"));
    expect(rows.filter(([, , type]) => type !== "U")).toEqual([]);
  });

  test("keys come as NULL, without an error, when the master key is closed, the certificate another, or CONTROL gone", async () => {
    const { site, send } = await start();
    site.add({ computerName: "PC-1", keyId: guid("one"), recoveryKey: passwordOf(1) });
    const keyText = async () => (await send(page(10))).rows.map((row) => row[7]);
    expect(await keyText()).toEqual([passwordOf(1)]);
    site.state.masterKey = "closed";
    expect(await keyText()).toEqual([null]);
    expect((await send(find("sample-keys"))).rows).toEqual([[1, 0]]);
    site.state.masterKey = "opens by itself";
    site.revokeControl("RecoveryAndHardwareRead");
    expect(await keyText()).toEqual([null]);
    expect((await send(find("verify-certificate-microsoft"))).rows).toEqual([[0]]);
    site.state.certificates = new Map();
    expect(await keyText()).toEqual([null]);
    expect((await send(find("count-unreadable-keys"))).rows).toEqual([["1"]]);
    expect((await send(find("inspect-certificate"))).rows).toEqual([]);
  });

  test("plain text stays readable whatever becomes of the certificate", async () => {
    const { site, send } = await start({ shape: { keyColumn: "varchar", hasVolumeGuid: false } });
    site.add({ computerName: "PC-1", keyId: guid("plain"), recoveryKey: passwordOf(1) }, "plain");
    site.add({ computerName: "PC-1", keyId: guid("sealed"), recoveryKey: passwordOf(2) });
    site.state.masterKey = "closed";
    const mixed = { ...expectedShape, storage: "mixed" } as const;
    const read = pageOfKeys(mixed, { filter: anyKey, after: undefined, pageRows: 10 });
    expect(new Set((await send(read)).rows.map((row) => row[7]))).toEqual(new Set([passwordOf(1), null]));
  });

  test("GetRecoveryKey marks before it gives, remembers the reason, and needs a primary and a permission", async () => {
    const { site, send } = await start();
    const keyId = guid("one");
    site.add({ computerName: "PC-1", keyId, recoveryKey: passwordOf(1) });
    const disclose: Statement = {
      ...find("get-recovery-key"),
      parameters: {
        RecoveryKeyId: { type: "text", value: keyId.toLowerCase() },
        Reason: { type: "text", value: "it's lost" },
      },
    };
    site.state.role = "secondary";
    expect((await send(disclose)).number).toBe(3906);
    site.state.role = "primary";
    site.state.permissions.delete("EXECUTE GetRecoveryKey");
    expect((await send(disclose)).number).toBe(229);
    expect(site.state.disclosures).toEqual([]);
    site.state.permissions.add("EXECUTE GetRecoveryKey");
    expect((await send(disclose)).rows[0]?.slice(0, 2)).toEqual([keyId, passwordOf(1)]);
    expect(site.state.disclosures).toEqual([{ keyId, reason: "it's lost", user: "pep_reader" }]);
    expect((await send(page(10))).rows.map((row) => row[5])).toEqual([true]);
    const unknown = { ...disclose.parameters, RecoveryKeyId: { type: "text", value: guid("none") } } as const;
    expect((await send({ ...disclose, parameters: unknown })).rows).toEqual([]);
  });

  test("a page never ends within a key that several computers have", async () => {
    const { site, send } = await start();
    for (const computerName of ["PC-1", "PC-2", "PC-3"])
      site.add({ computerName, keyId: guid("shared"), recoveryKey: passwordOf(1), volumeGuid: guid("volume") });
    expect((await send(page(1))).rows).toHaveLength(3);
    expect((await send(find("count-keys"))).number).toBeUndefined();
  });

  test("datetime rounds to a third of a hundredth, and a zero fraction is not shown", async () => {
    const { site, send } = await start();
    const times = ["2026-11-22T09:30:00.000Z", "2026-11-22T09:30:00.124Z", "2026-11-22T09:30:00.999Z"];
    times.forEach((lastUpdateTime, i) =>
      site.add({ computerName: "PC-1", keyId: numberedKeyId(i), recoveryKey: passwordOf(i), lastUpdateTime }),
    );
    expect((await send(page(10))).rows.map((row) => row[4])).toEqual([
      "2026-11-22T09:30:00",
      "2026-11-22T09:30:00.123",
      "2026-11-22T09:30:01",
    ]);
  });

  test("what a replica may write follows the login's intent", async () => {
    const { site, send } = await start();
    site.state.role = "by intent";
    expect((await send(find("introspect-session"))).rows[0]?.[3]).toBe("READ_WRITE");
    const reader = await connect({
      port: site.server.port,
      ca: certificates.authority,
      options: { readOnlyIntent: true },
    });
    expect((await ask(reader, find("introspect-session").text)).rows[0]?.[3]).toBe("READ_ONLY");
  });

  test("many keys stream in flat memory, in order", async () => {
    const keys = rounds(100_000, 1_000_000);
    const { connection, parametersOf } = await start({ numbered: { keys, recoveryKey: passwordOf(7) } });
    const statement = page(keys);
    const samples: number[] = [];
    let received = 0;
    let last = "";
    let inOrder = true;
    const { request, answer } = newRequest(statement.text, parametersOf(statement), { keepRows: false });
    request.on("row", (cells: { value: unknown }[]) => {
      received += 1;
      const keyId = String(cells[0]?.value);
      inOrder &&= keyId > last;
      last = keyId;
      if (received % (keys / 10) === 0) samples.push(aliveBytes() / 1e6);
    });
    connection.execSql(request);
    expect((await answer).error).toBeUndefined();
    expect({ received, inOrder, last }).toEqual({ received: keys, inOrder: true, last: numberedKeyId(keys - 1) });
    const [first = 0, ...later] = samples;
    expect(Math.max(...later) - first).toBeLessThan(20);
  }, 120_000);
});
