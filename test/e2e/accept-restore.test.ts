import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pep, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { edit, importing, importTwice, keys, putBackFile, site, type ImportedTwice } from "../harness/import-twice.ts";
import { guid, passwordOf } from "../site-database/fixture.ts";

let stage: ImportedTwice;
beforeAll(async () => {
  stage = await importTwice();
}, 60_000);
afterAll(() => stage.dispose());

const ask = (endpoint: Endpoint, computers = "PC-1,PC-2,PC-4") =>
  endpoint.ssh("support", `Get-RecoveryKeys -ComputerName ${computers} -Reason x`);
const started = (dataDirectory: string): Promise<Endpoint> => startEndpoint({ dataDirectory });
const eventsOf = (endpoint: Endpoint, type: string) => endpoint.events().filter((event) => event.type === type);
const accept = (directory: string, ...more: string[]) =>
  pep(["site", "accept-restore", "--data-dir", directory, ...more]);
const sealedIn = (directory: string): unknown => {
  const database = new DatabaseSync(site(directory), { readOnly: true });
  try {
    return database.prepare("SELECT state FROM row_set").get();
  } finally {
    database.close();
  }
};

test("is refused until it is accepted by name, then shown, and the copy before is the older one", async () => {
  const directory = stage.stopped();
  putBackFile(site(directory), stage.older);
  const before = sealedIn(directory);
  const asked = await accept(directory);
  expect(asked).toMatchObject({ status: 2, stderr: expect.stringContaining("add --yes") });
  expect(asked.stdout).toMatch(/older than the record says: the record has write 4 .*, the database write 3 /);
  expect(sealedIn(directory)).toEqual(before);

  const { status, stdout } = await accept(directory, "--yes");
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining("as write 5") });
  expect((await pep(["doctor", "--data-dir", directory, "--whole"])).stdout).toMatch(/^ok {4}site-set: /m);
  const endpoint = await started(directory);
  const shown = await ask(endpoint, "PC-2");
  expect(shown.stdout, shown.stderr).toContain(passwordOf(2));
  expect(eventsOf(endpoint, "site-restore-accepted")).toMatchObject([
    { counter: 5, recorded: { counter: 4 }, found: { counter: 3 }, wrongRows: 0 },
  ]);
  expect((await importing(directory, [{ key: 9, computer: "PC-9", volume: 9, month: 6 }])).status).toBe(0);
  await endpoint.end();
  putBackFile(site(directory), stage.newest);
  expect(await ask(await started(directory))).toMatchObject({ status: 7, stdout: "" });
  expect((await accept(directory)).stdout).toMatch(/older than the record says/);
});

test("is accepted while the server runs, which goes on without a restart", async () => {
  const directory = stage.stopped();
  const endpoint = await started(directory);
  edit(site(directory), `DELETE FROM ${keys} WHERE RecoveryKeyId = '${guid("key 3")}'`);
  while ((await ask(endpoint)).status === 0);
  expect((await accept(directory, "--yes")).status).toBe(0);
  await expect.poll(async () => (await ask(endpoint)).status, { timeout: 60_000 }).toBe(0);
  expect(eventsOf(endpoint, "site-restore-accepted")).toHaveLength(1);
});

test("rows with a wrong digest are not accepted with the others", async () => {
  const directory = stage.stopped();
  edit(site(directory), `UPDATE ${keys} SET LastUpdateTime = 1 WHERE RecoveryKeyId = '${guid("key 3")}'`);
  const { status, stdout } = await accept(directory, "--yes");
  expect(status).toBe(0);
  expect(stdout).toContain("1 rows have a wrong digest");
  const endpoint = await started(directory);
  const [ofPc1, ofPc2] = [await ask(endpoint, "PC-1"), await ask(endpoint, "PC-2")];
  expect(ofPc1).toMatchObject({ status: 7, stdout: "" });
  expect(ofPc2.stdout, ofPc2.stderr).toContain(passwordOf(2));
  expect(eventsOf(endpoint, "site-restore-accepted")).toMatchObject([{ wrongRows: 1 }]);
});

test("nothing to accept is nothing on the record", async () => {
  const directory = stage.stopped();
  const before = sealedIn(directory);
  expect(await accept(directory, "--yes")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("nothing to accept"),
  });
  expect(sealedIn(directory)).toEqual(before);
});
