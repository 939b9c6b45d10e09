import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { openRecord } from "../../server/audit/open-record.ts";
import { importRecord } from "../../server/cli/local-record.ts";
import { importCommand } from "../../server/cli/import.ts";
import { connectControl, startControlSocket } from "../../server/control/control-socket.ts";
import { revealSecret } from "../../server/secret.ts";
import {
  createEmbeddedSiteDatabase,
  createMasterKeyFile,
  openEmbeddedSiteDatabase,
  openRecoveryRecordWriter,
} from "../../server/site-database/embedded/index.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { createRandom, fixture, makeGuid, makePassword, writeFile } from "./recovery-data.ts";
import { testRuntime } from "../harness/runtime.ts";

const neverStopped = new AbortController().signal;

/** A site database and a running server's log, both real; what `pep import` meets. */
const createSite = async (): Promise<{
  run: (files: readonly string[], signal?: AbortSignal) => Promise<{ status: number; text: string }>;
  readKeys: () => Promise<Record<string, readonly [password: string, computer: string, at: string]>>;
  directory: string;
  recorded: AuditEvent[];
}> => {
  const directory = temporaryDirectory();
  const file = join(directory, "site.sqlite");
  const masterKey = { kind: "file", path: join(directory, "master-key") } as const;
  await createMasterKeyFile(masterKey.path);
  await createEmbeddedSiteDatabase({ file, masterKey });
  const log = await openRecord({
    server: "pep-1",
    directory: join(directory, "audit"),
    key: generateKeyPairSync("ed25519").privateKey,
    runtime: testRuntime({ report: () => undefined }),
  });
  const recorded: AuditEvent[] = [];
  const path = join(directory, "state", "control");
  const control = await startControlSocket({
    path,
    recordState: () => ({ problems: [], held: 0 }),
    log: {
      siteState: () => log.siteState(),
      collection: () => undefined,
      append: async (event) => log.append(event).then(() => void recorded.push(event)),
    },
  });
  const remote = await connectControl(path);
  if (remote === undefined) throw new Error("no server answers");
  const writer = openRecoveryRecordWriter({ file, masterKey, record: importRecord(remote) });
  onTestFinished(async () => {
    await writer.close();
    await remote.close();
    await control.close();
    await log.close();
  });
  return {
    directory,
    recorded,
    run: async (files, signal = neverStopped) => {
      let text = "";
      const stderr = { isTTY: false, columns: 0, write: (part: string) => void (text += part) };
      const status = await importCommand({
        files,
        computerName: undefined,
        skipInvalid: false,
        columns: [],
        deviceNames: undefined,
        readInput: async function* () {},
        log: remote,
        writer,
        localUser: "admin",
        stderr,
        signal,
      });
      return { status, text };
    },
    readKeys: async () => {
      const database = await openEmbeddedSiteDatabase({
        file,
        masterKey,
        record: {
          newest: () => log.siteState(),
          written: (state) => log.append({ type: "site-written", ...state }),
          refused: (refusal) => log.append({ type: "site-refused", ...refusal }),
        },
      });
      const keys: Record<string, readonly [string, string, string]> = {};
      for await (const batch of database.readRecoveryKeys({}, neverStopped)) {
        for (const { passwordId, recoveryKey, computerName, lastUpdateTime } of batch) {
          keys[passwordId] = [revealSecret(recoveryKey), computerName, lastUpdateTime];
        }
      }
      await database.close();
      return keys;
    },
  };
};

describe("recovery data in the embedded site database", () => {
  test("is what the file has, once, and on the running server's record", async () => {
    const site = await createSite();
    const path = fixture("get-adobject.csv");
    expect((await site.run([path])).text).toBe(`${path}: 2 key protectors added, 0 already known, 0 skipped\n`);
    expect((await site.run([path])).text).toBe(`${path}: 0 key protectors added, 2 already known, 0 skipped\n`);
    const ldif = fixture("export.ldf");
    expect((await site.run([ldif])).status).toBe(0);
    const keys = await site.readKeys();
    expect(Object.keys(keys)).toHaveLength(2);
    expect(keys["00FB8673-8B42-C835-484F-3E32248C1E89"]?.slice(0, 2)).toEqual([
      "490270-696377-450109-664092-596629-028820-126104-257345",
      "PC-7",
    ]);
    expect(site.recorded.map(({ type }) => type)).toEqual([
      "import-started",
      "site-written", // the empty database
      "site-written",
      "import-finished",
      "import-started", // of what is known already: no row changes
      "import-finished",
      "import-started",
      "site-written",
      "import-finished",
    ]);
  });

  test("is nothing of a file whose last row is invalid, and nothing of a stopped one", async () => {
    const site = await createSite();
    const random = createRandom(9);
    const rows = Array.from({ length: 2500 }, (_, index) => `PC-${index},${makeGuid(random)},${makePassword(random)}`);
    const lines = ["ComputerName,PasswordID,RecoveryPassword", ...rows];
    const bad = writeFile(site.directory, "bad.csv", [...lines, "PC-X,x,y"].join("\n"));
    const failed = await site.run([bad]);
    expect(failed.status).toBe(2);
    expect(failed.text).toContain("line 2502: the key id is not a whole GUID.");

    const stop = new AbortController();
    const good = writeFile(site.directory, "good.csv", lines.join("\n"));
    const stopped = site.run([good], stop.signal);
    stop.abort();
    expect((await stopped).status).toBe(130);
    expect(await site.readKeys()).toEqual({});
    expect((await site.run([good])).status).toBe(0);
    expect(Object.keys(await site.readKeys())).toHaveLength(2500);
  });

  test("is never overwritten by another password for the same key id", async () => {
    const site = await createSite();
    const random = createRandom(11);
    const id = makeGuid(random);
    const first = makePassword(random);
    const file = (name: string, password: string): string =>
      writeFile(site.directory, name, `ComputerName,PasswordID,RecoveryPassword\nPC-1,${id},${password}\n`);
    expect((await site.run([file("a.csv", first)])).status).toBe(0);
    expect((await site.run([file("b.csv", makePassword(random))])).status).toBe(4);
    expect((await site.readKeys())[id]?.[0]).toBe(first);
    expect(site.recorded.at(-1)).toMatchObject({ outcome: "failed", error: expect.stringContaining("ResourceExists") });
  });
});
