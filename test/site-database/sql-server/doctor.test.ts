import { afterEach, expect, test } from "vitest";
import { examineSqlServer } from "../../../server/site-database/sql-server/doctor.ts";
import type { CertificateFinding } from "../../../server/command/site-database.ts";
import type { SiteShape } from "../../harness/tds-server/model/state.ts";
import { collect, guid, neverStopped, passwordOf } from "../fixture.ts";
import { startSite } from "./start-site.ts";
import type { StartedSite } from "./start-site.ts";

let site: StartedSite;
afterEach(() => site.dispose());

/** A site whose login has what run-as-login.sql gives, and no more. */
const start = async (shape: Partial<SiteShape> = {}): Promise<void> => {
  site = await startSite({ shape });
  site.model.add({ keyId: guid("key"), computerName: "PC-1", recoveryKey: passwordOf(1) });
  site.model.state.permissions.delete("CONTROL on the database");
};

const examine = async (changes: object = {}): Promise<readonly CertificateFinding[]> =>
  examineSqlServer(await site.open(changes), { database: "CM_PEP", encrypt: "strict", whole: false }, neverStopped);

const failed = (findings: readonly CertificateFinding[]): readonly string[] =>
  findings.filter((one) => !one.passed).map((one) => `${one.weight} ${one.check}: ${one.finding}`);

test("finds nothing wrong with a site that is right, but that there is no backup", async () => {
  await start();
  const findings = await examine();
  expect(failed(findings)).toEqual([expect.stringMatching(/^advice backup/)]);
  const checks = findings.map((one) => one.check);
  for (const check of ["connection", "login", "database", "primary", "objects", "clock", "permission", "sample"])
    expect(checks).toContain(check);
});

test("tells too little permission from too much", async () => {
  await start();
  site.model.state.permissions.delete("EXECUTE GetRecoveryKey");
  site.model.state.permissions.add("CONTROL on the database");
  const found = failed(await examine());
  expect(found).toContainEqual(
    expect.stringMatching(/^required permission: Lacks EXECUTE on RecoveryAndHardwareRead\.GetRecoveryKey/),
  );
  expect(found).toContainEqual(expect.stringMatching(/^advice permission: Has CONTROL on the database/));
});

test.each([
  ["an unknown authority", "otherIssuer", /siteDatabase\.ca/],
  ["another name", "otherName", /siteDatabase\.serverName/],
] as const)("says what to look at: %s", async (_, identity, hint) => {
  await start();
  site.server.setFaults({ identity: site.certificates[identity] });
  expect(await examine()).toEqual([
    expect.objectContaining({ check: "connection", passed: false, finding: expect.stringMatching(hint) }),
  ]);
});

test("says what to look at: a refused login, and nobody there", async () => {
  await start();
  const [unreachable] = await examine({ port: 1 });
  expect(unreachable?.finding).toMatch(/Nothing listens there/);
  site.server.setFaults({ refuseLogins: { times: 9, errors: [{ number: 18456, message: "Login failed." }] } });
  const [refused] = await examine();
  expect(refused?.finding).toMatch(/password file.*18456/);
});

test("says that the database is read-only here", async () => {
  await start();
  site.model.state.role = "secondary";
  expect(failed(await examine())).toContainEqual(expect.stringMatching(/^required primary: The database is read-only/));
});

test("names what the site lacks, and the commands that need it say no more than they must", async () => {
  await start({ decryptParameters: 0, hasGetRecoveryKey: false });
  const missing = failed(await examine()).join("\n");
  expect(missing).toContain("RecoveryAndHardwareCore.DecryptString is not there");
  expect(missing).toContain("RecoveryAndHardwareRead.GetRecoveryKey is not there");
  const database = await site.open();
  await expect(collect(database.readRecoveryKeys({}, neverStopped))).rejects.toMatchObject({
    category: "ResourceUnavailable",
    message: expect.not.stringContaining("DecryptString"),
    cause: expect.objectContaining({ message: expect.stringContaining("DecryptString") }),
  });
});
