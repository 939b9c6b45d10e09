import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, pep, root, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { openTerminal } from "../harness/terminal.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { tmpdir } from "node:os";

const password = "Correct-Horse-42";
const key = "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason x";

let folder: string;
let shown: string;

const backUp = async (endpoint: Endpoint, line: string): Promise<void> => {
  const done = await endpoint.ssh("certadmin", line, { input: `${password}\n` });
  if (done.status !== 0) throw new Error(done.stderr);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pep-lost-key-"));
  const dataDirectory = join(folder, "pep");
  const endpoint = await launch({ dataDirectory });
  await backUp(endpoint, "backup-cert -Name pair");
  await backUp(endpoint, "backup-cert -Name whole -Form Pfx");
  shown = (await endpoint.ssh("support", key)).stdout;
  if (!/\d{6}-\d{6}/.test(shown)) throw new Error(`no key: ${shown}`);
  endpoint.signal("SIGTERM");
  await endpoint.exited;
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the stopped endpoint, with its backups. */
const copied = (): string => {
  const to = temporaryDirectory();
  cpSync(folder, to, { recursive: true });
  const directory = join(to, "pep");
  const file = join(directory, "endpoint.json");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(folder, to));
  return directory;
};
const masterKey = (directory: string): string => join(directory, "demo", "master-key");
const restore = (directory: string, ...more: string[]) =>
  pep(["restore-cert", "--data-dir", directory, ...more], `${password}\n`);
const serverEnds = (directory: string) => pep(["serve", "--demo", "--data-dir", directory, "--listen", "127.0.0.1:0"]);
const recovered = (text: string): string => /(?:\d{6}-){7}\d{6}/.exec(text)?.[0] ?? "";

describe("with the master key lost", () => {
  test.each([
    ["two files", ["--name", "pair"]],
    ["a PFX", ["--name", "whole", "--form", "Pfx"]],
  ])("no server starts; after a restore from %s keys are shown, imported and verified", async (_form, asked) => {
    const directory = copied();
    rmSync(masterKey(directory));
    expect(await serverEnds(directory)).toMatchObject({
      status: 3,
      stdout: "",
      stderr: expect.stringContaining("pep restore-cert"),
    });

    const done = await restore(directory, ...asked, "--yes");
    expect(done, done.stderr).toMatchObject({ status: 0, stdout: expect.stringContaining("on the record") });
    const endpoint = await startEndpoint({ dataDirectory: directory });
    const { status, stdout, stderr } = await endpoint.ssh("support", key);
    expect({ status, key: recovered(stdout) }, stderr).toEqual({ status: 0, key: recovered(shown) });
    expect((await endpoint.ssh("certadmin", "verify-cert -raw")).stdout).toBe("1\n");
    const types = endpoint.events().map(({ type }) => type);
    expect(types.filter((type) => type === "master-key-renewed" || type === "site-restore-accepted")).toEqual([
      "master-key-renewed",
      "site-restore-accepted",
    ]);
    const csv = join(directory, "..", "more.csv");
    writeFileSync(
      csv,
      `ComputerName,RecoveryKeyId,RecoveryPassword\nPC-NEW,0A1B2C3D-0000-4000-8000-00000000ABCD,${recovered(shown)}\n`,
    );
    const imported = await pep(["import", "--data-dir", directory, csv]);
    expect(imported.status, imported.stderr).toBe(0);
    await endpoint.end();
    expect((await pep(["doctor", "--data-dir", directory, "--whole"])).stdout).toMatch(/^ok {4}site-set: /m);
  });

  test("asks first: without an answer nothing is made", async () => {
    const directory = copied();
    rmSync(masterKey(directory));
    const asked = await restore(directory, "--name", "pair");
    expect(asked).toMatchObject({ status: 2, stderr: expect.stringContaining("add --yes") });
    expect(asked.stdout).toContain("A new master key is made.");
    expect(existsSync(masterKey(directory))).toBe(false);
    expect((await restore(directory, "--name", "pair", "--yes")).status).toBe(0);
  });

  test("a wrong password, and the backup of another certificate, change nothing", async () => {
    const directory = copied();
    rmSync(masterKey(directory));
    const wrong = await pep(["restore-cert", "--data-dir", directory, "--name", "pair", "--yes"], "Wrong-Horse-42\n");
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("does not open the backup") });

    const other = await startEndpoint({ dataDirectory: join(temporaryDirectory(), "pep") });
    await backUp(other, "backup-cert -Name pair");
    for (const end of [".cer", ".key"])
      cpSync(join(`${other.dataDirectory}.backup`, `pair${end}`), join(`${directory}.backup`, `pair${end}`));
    const foreign = await restore(directory, "--name", "pair", "--yes");
    expect(foreign).toMatchObject({ status: 2, stderr: expect.stringContaining("is not of the certificate") });
    expect(existsSync(masterKey(directory))).toBe(false);
    const right = await restore(directory, "--name", "whole", "--form", "Pfx", "--yes");
    expect(right.status, right.stderr).toBe(0);
  });

  test("a cell that the backup does not open stays refused, and the others are shown", async () => {
    const directory = copied();
    rmSync(masterKey(directory));
    const database = new DatabaseSync(join(directory, "site.sqlite"));
    database.exec(
      `UPDATE RecoveryAndHardwareCore_Keys SET RecoveryKey = randomblob(84) WHERE Id = (SELECT max(Id) FROM RecoveryAndHardwareCore_Keys)`,
    );
    const [lost] = database
      .prepare("SELECT RecoveryKeyId FROM RecoveryAndHardwareCore_Keys ORDER BY Id DESC LIMIT 1")
      .all();
    database.close();
    const done = await restore(directory, "--name", "pair", "--yes");
    expect(done.stdout).toContain("1 encrypted cells do not open");
    const endpoint = await startEndpoint({ dataDirectory: directory });
    expect((await endpoint.ssh("support", key)).status).toBe(0);
    const { status, stdout } = await endpoint.ssh(
      "support",
      `Get-RecoveryKeys -RecoveryKeyId ${String(lost?.["RecoveryKeyId"])} -Reason x`,
    );
    expect({ status, stdout }).toEqual({ status: 7, stdout: "" });
  });

  test("a master key that is another one becomes the database's", async () => {
    const directory = copied();
    writeFileSync(masterKey(directory), Buffer.alloc(32, 7));
    const done = await restore(directory, "--name", "pair", "--yes");
    expect(done.stdout).toContain("is not the lost one");
    expect((await (await startEndpoint({ dataDirectory: directory })).ssh("support", key)).status).toBe(0);
  });

  test("a person types the password without seeing it", async () => {
    const directory = copied();
    rmSync(masterKey(directory));
    const main = join(root, "dist", "server", "main.js");
    const terminal = openTerminal(process.execPath, [main, "restore-cert", "--data-dir", directory, "--name", "pair"], {
      columns: 120,
      rows: 30,
    });
    await terminal.waitFor("Password of the backup:");
    terminal.type(`${password}\r`);
    await terminal.waitFor('Type "accept"');
    terminal.type("accept\r");
    await terminal.waitFor("Restored, on the record");
    expect(await terminal.exited).toBe(0);
    expect(terminal.raw()).not.toContain(password);
  });
});

test("with a master key that works nothing is lost: refused, also while the server runs", async () => {
  const directory = copied();
  expect(await restore(directory, "--name", "pair", "--yes")).toMatchObject({
    status: 4,
    stderr: expect.stringContaining("it is not lost"),
  });
  const endpoint = await startEndpoint({ dataDirectory: directory });
  renameSync(masterKey(directory), `${masterKey(directory)}.away`);
  expect(await restore(directory, "--name", "pair", "--yes")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("The server runs"),
  });
  expect((await endpoint.ssh("support", key)).status).toBe(0);
});
