import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqlServerSiteDatabase } from "../../../server/site-database/sql-server/configuration.ts";
import type { Places } from "../../../server/site-database/sql-server/configuration.ts";
import { driverSettings } from "../../../server/site-database/sql-server/connection-settings.ts";

const login = { type: "default", userName: "pep", password: { file: "sql-password" } };
const smallest = { kind: "sqlServer", server: "sql1.contoso.com", database: "CM_ABC", authentication: login };

let directory: string;
let places: Places;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pep-sql-"));
  places = { resolvePath: (path) => join(directory, path), credentialsDirectory: directory };
  await writeFile(join(directory, "sql-password"), "Geheim-17!\nsecond line\n", { mode: 0o600 });
  await writeFile(join(directory, "ca.pem"), "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const settingsOf = (raw: object, readOnly = false) =>
  driverSettings(sqlServerSiteDatabase.parse(raw), places, { readOnlyIntent: readOnly, cancelTimeoutMs: 5000 });

describe("the configuration", () => {
  test("asks for TLS before the first byte unless told otherwise", () => {
    expect(sqlServerSiteDatabase.parse(smallest)).toMatchObject({ encrypt: "strict", applicationIntent: "ReadWrite" });
  });

  test.each([
    ["encryption switched off", { encrypt: false }],
    ["encryption by another word", { encrypt: "optional" }],
    ["certificate checks switched off", { trustServerCertificate: true }],
    ["a password in the file", { authentication: { ...login, password: "Geheim-17!" } }],
    ["a password beside its file", { authentication: { ...login, password: { file: "a", text: "b" } } }],
    ["a port and an instance", { port: 1433, instanceName: "CM" }],
    ["an instance in the server's name", { server: "sql1\\CM" }],
    ["a database that is no name", { database: "CM_ABC; DROP" }],
    [
      "a credential that leads elsewhere",
      { authentication: { ...login, password: { credential: "../../etc/shadow" } } },
    ],
    ["another kind of log-in", { authentication: { type: "kerberos", userName: "a" } }],
    ["a backup directory that is not absolute", { serverBackupDirectory: "Backup" }],
    ["a time-out of nothing", { stallTimeoutMs: 0 }],
  ])("refuses %s", (_, change) => {
    expect(sqlServerSiteDatabase.safeParse({ ...smallest, ...change }).success).toBe(false);
  });
});

describe("what the driver is told", () => {
  test("checks certificates, whatever the configuration says, and gets the password from its file", async () => {
    const settings = await settingsOf({
      ...smallest,
      encrypt: true,
      ca: "ca.pem",
      serverName: "sql.contoso.com",
      port: 1444,
    });
    expect(settings).toMatchObject({
      server: "sql1.contoso.com",
      authentication: { type: "default", options: { userName: "pep", password: "Geheim-17!" } },
      options: {
        encrypt: true,
        trustServerCertificate: false,
        port: 1444,
        serverName: "sql.contoso.com",
        database: "CM_ABC",
        cryptoCredentialsDetails: { minVersion: "TLSv1.2", ca: expect.stringContaining("BEGIN CERTIFICATE") },
      },
    });
  });

  test("takes an instance instead of a port", async () => {
    const { options } = await settingsOf({ ...smallest, instanceName: "CM" });
    expect(options).toMatchObject({ instanceName: "CM" });
    expect(options).not.toHaveProperty("port");
  });

  test("asks for a readable secondary only where it is to", async () => {
    const raw = { ...smallest, applicationIntent: "ReadOnly", multiSubnetFailover: true };
    expect((await settingsOf(raw, true)).options).toMatchObject({ readOnlyIntent: true, multiSubnetFailover: true });
    expect((await settingsOf(raw, false)).options).toMatchObject({ readOnlyIntent: false });
  });

  test("passes every kind of log-in on", async () => {
    const password = { credential: "sql-password" };
    const client = { clientId: "c", tenantId: "t" };
    for (const [authentication, options] of [
      [
        { type: "ntlm", domain: "CONTOSO", userName: "pep", password },
        { domain: "CONTOSO", userName: "pep", password: "Geheim-17!" },
      ],
      [
        { type: "azure-active-directory-password", userName: "pep", password, ...client },
        { userName: "pep", password: "Geheim-17!", ...client },
      ],
      [{ type: "azure-active-directory-access-token", token: password }, { token: "Geheim-17!" }],
      [
        { type: "azure-active-directory-service-principal-secret", clientSecret: password, ...client },
        { clientSecret: "Geheim-17!", ...client },
      ],
      [{ type: "azure-active-directory-msi-vm", clientId: "c" }, { clientId: "c" }],
      [{ type: "azure-active-directory-msi-app-service" }, {}],
      [{ type: "azure-active-directory-default" }, {}],
    ] as const)
      expect((await settingsOf({ ...smallest, authentication })).authentication).toEqual({
        type: authentication.type,
        options,
      });
  });
});

describe("a password's file", () => {
  const from = (file: string): Promise<unknown> =>
    settingsOf({ ...smallest, authentication: { ...login, password: { file } } });
  const causeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => "no error",
      (error: { readonly cause?: Error }) => error.cause?.message ?? "no cause",
    );

  test("is refused when it is missing, empty, or others may read it", async () => {
    await writeFile(join(directory, "empty"), "\n", { mode: 0o600 });
    await writeFile(join(directory, "open"), "Geheim-17!");
    await chmod(join(directory, "open"), 0o644);
    expect(await causeOf(from("nothing"))).toContain("is missing");
    expect(await causeOf(from("empty"))).toContain("is empty");
    expect(await causeOf(from("open"))).toContain("others may read it; run: chmod o=");
  });

  test("is read anew each time, so that a changed password needs no restart", async () => {
    await writeFile(join(directory, "changing"), "first", { mode: 0o600 });
    const raw = { ...smallest, authentication: { ...login, password: { file: "changing" } } };
    expect((await settingsOf(raw)).authentication?.options).toMatchObject({ password: "first" });
    await writeFile(join(directory, "changing"), "second");
    expect((await settingsOf(raw)).authentication?.options).toMatchObject({ password: "second" });
  });

  test("that is a credential needs systemd's directory", async () => {
    const configuration = sqlServerSiteDatabase.parse({
      ...smallest,
      authentication: { ...login, password: { credential: "sql-password" } },
    });
    const without = { ...places, credentialsDirectory: undefined };
    expect(
      await causeOf(driverSettings(configuration, without, { readOnlyIntent: false, cancelTimeoutMs: 5000 })),
    ).toContain("systemd");
  });

  test("is no certificate: a list of authorities without one is refused", async () => {
    expect(await causeOf(settingsOf({ ...smallest, ca: "sql-password" }))).toContain("no certificate");
  });
});
