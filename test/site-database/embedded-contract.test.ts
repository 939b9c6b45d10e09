import { afterAll, beforeAll } from "vitest";
import { shareOf } from "../harness/share.ts";
import { createSiteMaker, waysToRead } from "./fixture.ts";
import type { SiteMaker, TestSite } from "./fixture.ts";
import { describeSiteDatabase } from "./site-database.contract.ts";
import type { MakeSiteDatabase } from "./site-database.contract.ts";

let maker: SiteMaker;

beforeAll(async () => {
  maker = await createSiteMaker();
});
afterAll(() => maker.dispose());

const embedded =
  (options?: Parameters<TestSite["open"]>[0]): MakeSiteDatabase =>
  async (records) => {
    const site = await maker.make();
    await site.importRecords(records);
    return {
      database: await site.open(options),
      backupDirectory: site.backupDirectory,
      revokeControl: async (principal) => {
        site.tamper(
          `DELETE FROM sys_database_permissions WHERE grantee_principal_id =
           (SELECT principal_id FROM sys_database_principals WHERE name = ?)`,
          principal,
        );
      },
      dropCertificate: async () => {
        site.tamper("DELETE FROM sys_database_permissions");
        site.tamper("DELETE FROM sys_certificates");
      },
      databaseName: "site",
      dispose: () => site.dispose(),
    };
  };

// How keys are read is nothing to the certificate.
const certified = new Set(shareOf(waysToRead, waysToRead.length));
for (const way of waysToRead) {
  const [where, options] = way;
  describeSiteDatabase(`the embedded database, read ${where},`, embedded(options), { certificate: certified.has(way) });
}
