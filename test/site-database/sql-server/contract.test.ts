import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeSiteDatabase } from "../site-database.contract.ts";
import { startSite } from "./bare-site.ts";
import { SiteModel } from "./site-model.ts";

// The other kind of TLS runs through every fault in faults.test.ts.
describeSiteDatabase("SQL Server (a model of it, over TLS)", async (records) => {
  const model = new SiteModel();
  for (const record of records) model.add(record);
  const site = await startSite((request, respond) => model.answer(request, respond));
  const backupDirectory = await mkdtemp(join(tmpdir(), "pep-backup-"));
  return {
    // Small pages: the cases then cross their ends.
    database: await site.open({}, { backupDirectory, pageRows: 100 }),
    backupDirectory,
    revokeControl: async (principal) => {
      model.controls.delete(principal);
    },
    dispose: async () => {
      await site.dispose();
      await rm(backupDirectory, { recursive: true, force: true });
    },
  };
});
