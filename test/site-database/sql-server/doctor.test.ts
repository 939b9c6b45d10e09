import { afterEach, expect, test } from "vitest";
import { examineSqlServer } from "../../../server/site-database/sql-server/doctor.ts";
import type { DoctorFinding } from "../../../server/site-database/sql-server/doctor.ts";
import { collect, neverStopped, passwordRecord } from "../fixture.ts";
import { startSite } from "./bare-site.ts";
import type { BareSite } from "./bare-site.ts";
import { columns, nameOf, result } from "./catalogue.ts";
import { SiteModel } from "./site-model.ts";

let site: BareSite;
afterEach(() => site.dispose());

const permissions = (extra: readonly (readonly [string, number, number])[] = []) =>
  [
    ["SELECT on dbo.RecoveryAndHardwareCore_Keys", 1, 1],
    ["UPDATE on dbo.RecoveryAndHardwareCore_Keys", 0, 0],
    ...extra,
  ] as const;

const start = async (
  rows: readonly (readonly [string, number, number])[] = permissions(),
  hidden: readonly string[] = [],
): Promise<void> => {
  const model = new SiteModel();
  model.add(passwordRecord(1));
  site = await startSite(async (request, respond) => {
    const name = nameOf(request);
    if (hidden.includes(name)) {
      if (name === "introspect-objects")
        await result(
          respond,
          columns({ SchemaName: "nvarchar(9)", ObjectName: "nvarchar(9)", ObjectType: "nvarchar(2)" }),
          [],
        );
      else
        await result(
          respond,
          columns({ TableName: "nvarchar(9)", ColumnName: "nvarchar(9)", TypeName: "nvarchar(9)" }),
          [],
        );
    } else if (name === "introspect-permissions")
      await result(respond, columns({ Permission: "nvarchar(200)", Wanted: "int", Held: "int" }), rows);
    else await model.answer(request, respond);
  });
};

const examine = async (changes: object = {}): Promise<readonly DoctorFinding[]> =>
  examineSqlServer(await site.open(changes), { database: "CM_PEP", encrypt: "strict" }, neverStopped);

const failed = (findings: readonly DoctorFinding[]): readonly string[] =>
  findings.filter((one) => !one.passed).map((one) => `${one.weight} ${one.check}: ${one.finding}`);

test("finds nothing wrong with a site that is right, but that there is no backup", async () => {
  await start();
  const findings = await examine();
  expect(failed(findings)).toEqual([expect.stringMatching(/^advice backup/)]);
  for (const check of [
    "connection",
    "login",
    "database",
    "primary",
    "objects",
    "clock",
    "permission",
    "certificate",
    "sample",
  ])
    expect(findings.map((one) => one.check)).toContain(check);
});

test("tells too little permission from too much", async () => {
  await start(
    permissions([
      ["EXECUTE on RecoveryAndHardwareRead.GetRecoveryKey", 1, 0],
      ["membership of db_owner", 0, 1],
    ]),
  );
  expect(failed(await examine())).toEqual([
    expect.stringMatching(/^required permission: Lacks EXECUTE on RecoveryAndHardwareRead.GetRecoveryKey/),
    expect.stringMatching(/^advice permission: Has membership of db_owner/),
    expect.stringMatching(/^advice backup/),
  ]);
});

test.each([
  ["an unknown authority", { identity: "otherIssuer" }, /siteDatabase\.ca/],
  ["another name", { identity: "otherName" }, /siteDatabase\.serverName/],
  ["a refused login", { refuse: true }, /password file/],
] as const)("says what to look at: %s", async (_, how, hint) => {
  await start();
  site.setFaults(
    "identity" in how
      ? { identity: site.certificates[how.identity] }
      : { refuseLogins: { times: 9, errors: [{ number: 18456, message: "Login failed." }] } },
  );
  const findings = await examine();
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({ check: "connection", passed: false, finding: expect.stringMatching(hint) });
});

test("says that nothing listens there", async () => {
  await start();
  const findings = await examine({ port: 1 });
  expect(findings[0]?.finding).toMatch(/Nothing listens there/);
});

test("names what the site lacks, and the commands that need it say no more than they must", async () => {
  await start(permissions(), ["introspect-objects"]);
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

test("names each table that is not there", async () => {
  await start(permissions(), ["introspect-columns"]);
  const missing = failed(await examine()).filter((one) => one.includes("objects: The table"));
  expect(missing).toHaveLength(5);
});
