import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { startControlSocket } from "../../server/control/control-socket.ts";
import { withCompileCache } from "../harness/compile-cache.ts";
import { collect, disclosing, neverStopped, passwordRecord } from "./fixture.ts";
import { madeSites } from "./made-sites.ts";

const newSite = madeSites();

describe("beside a running server", () => {
  test("is seen by a database that was open before", async () => {
    const site = await newSite();
    const database = await site.open();
    await expect(database.countRecoveryKeys({}, neverStopped)).resolves.toBe(0);
    await site.importRecords([passwordRecord(1)]);
    await expect(database.countRecoveryKeys({}, neverStopped)).resolves.toBe(1);
  });

  test("goes on while keys are being disclosed, and both finish", async () => {
    const site = await newSite();
    await site.importRecords(Array.from({ length: 300 }, (_, number) => passwordRecord(number)));
    const database = await site.open();
    const more = Array.from({ length: 3000 }, (_, number) => passwordRecord(1000 + number));
    const [disclosed, imported] = await Promise.all([
      collect(disclosing(database, {}, "test", neverStopped)),
      site.importRecords(more),
    ]);
    expect(imported).toEqual({ added: 3000, unchanged: 0 });
    expect(disclosed.length).toBeGreaterThanOrEqual(300);
    const marked = site.look("SELECT count(*) FROM RecoveryAndHardwareCore_Keys WHERE Disclosed = 1");
    expect(marked).toEqual([[disclosed.length]]);
  });

  test("two imports at once, in two processes, leave every key once", async () => {
    const site = await newSite();
    const path = join(site.directory, "control");
    const log = {
      append: async (event: AuditEvent) => {
        if (event.type === "site-written") await site.record.written(event);
      },
      siteState: site.record.newest,
      collection: () => undefined,
    };
    const control = await startControlSocket({ path, log, recordState: () => ({ problems: [], held: 0 }) });
    onTestFinished(() => control.close());
    const child = fork(new URL("./import-process.ts", import.meta.url), [site.file, site.masterKeyFile, path], {
      env: withCompileCache(),
      execArgv: ["--no-warnings"],
    });
    const finished = once(child, "exit");
    const here = await site.importRecords(Array.from({ length: 2000 }, (_, number) => passwordRecord(number)));
    await expect(finished).resolves.toEqual([0, null]);
    expect(here.added + here.unchanged).toBe(2000);
    for (const table of ["Machines", "Machines_Volumes", "Volumes", "Keys"])
      expect(site.look(`SELECT count(*) FROM RecoveryAndHardwareCore_${table}`), table).toEqual([[2000]]);
    const keys = await collect((await site.open()).readRecoveryKeys({}, neverStopped));
    expect(keys).toHaveLength(2000);
  });
});
