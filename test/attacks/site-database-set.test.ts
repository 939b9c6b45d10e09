/*
 * ATTACK: someone can write the data directory while the server is stopped, or `site.sqlite` while it runs, but has no key. Every row
 *   keeps its good digest: they put an older copy of the file back, or rows of one, or they take rows away; they put the sealed state
 *   that fits such rows beside them, and lines into the log that say so.
 * DANGER: the newest key of a computer is missing, and the engineer reads out an older one; a link that an import took away leads to
 *   the wrong computer again; nobody can tell that it happened.
 * EXPECT: no key is shown, no row counted and nothing imported; the error and `pep doctor` say what to do; it stands on the record.
 *   What an honest administrator put back is accepted on the record, and works again.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pep, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import {
  device,
  edit,
  importing,
  importTwice,
  keys,
  links,
  machines,
  putBackFile,
  site,
  type ImportedTwice,
} from "../harness/import-twice.ts";
import { shareOf } from "../harness/share.ts";
import { guid, passwordOf } from "../site-database/fixture.ts";

let stage: ImportedTwice;
beforeAll(async () => {
  stage = await importTwice();
}, 60_000);
afterAll(() => stage.dispose());

/** Every table as it was, in place, as `.restore` of sqlite3 does: the sealed state among them. */
const putBackTables = (file: string, only = "%"): void => {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false, timeout: 5000 });
  try {
    database.exec(`ATTACH '${stage.older}' AS older`);
    const tables = database
      .prepare("SELECT name FROM older.sqlite_schema WHERE type = 'table' AND name LIKE ?")
      .all(only);
    database.exec("BEGIN");
    for (const { name } of tables)
      database.exec(
        `DELETE FROM main.${String(name)}; INSERT INTO main.${String(name)} SELECT * FROM older.${String(name)}`,
      );
    database.exec("COMMIT");
  } finally {
    database.close();
  }
};

const putBackLink = (file: string): void =>
  edit(
    file,
    `ATTACH '${stage.older}' AS older`,
    `INSERT INTO main.${links} SELECT mv.* FROM older.${links} mv JOIN older.${machines} m ON m.Id = mv.MachineId WHERE m.Name = '${device}'`,
  );

/** The links of a table without a primary key, one of them twice. */
const doubleLink = (file: string): void =>
  edit(
    file,
    `CREATE TABLE doubled AS SELECT * FROM ${links}`,
    `DROP TABLE ${links}`,
    `CREATE TABLE ${links} (MachineId INTEGER NOT NULL, VolumeId INTEGER NOT NULL, RowDigest BLOB NOT NULL)`,
    `INSERT INTO ${links} SELECT * FROM doubled`,
    `INSERT INTO ${links} SELECT * FROM doubled LIMIT 1`,
    "DROP TABLE doubled",
  );

/** The newest key of PC-1, which the index by volume does not lead to any more: the table still has it. */
const hideFromIndex = (file: string): void => {
  const index = `${keys}_Volume`;
  edit(file, `CREATE TABLE saved AS SELECT * FROM ${keys} WHERE ${idOf(3)}`, `DELETE FROM ${keys} WHERE ${idOf(3)}`);
  edit(
    file,
    "PRAGMA writable_schema = ON",
    `CREATE TABLE saved_schema AS SELECT * FROM sqlite_schema WHERE name = '${index}'`,
    `DELETE FROM sqlite_schema WHERE name = '${index}'`,
  );
  edit(file, `INSERT INTO ${keys} SELECT * FROM saved`, "DROP TABLE saved");
  edit(
    file,
    "PRAGMA writable_schema = ON",
    "INSERT INTO sqlite_schema SELECT * FROM saved_schema",
    "DROP TABLE saved_schema",
  );
};

const idOf = (number: number): string => `RecoveryKeyId = '${guid(`key ${number}`)}'`;

const attacks: readonly (readonly [string, (file: string) => void])[] = [
  ["an older copy of the file put back", (file) => putBackFile(file, stage.older)],
  ["every table of an older copy put back, with what seals it", (file) => putBackTables(file)],
  ["rows of an older copy put back under the present seal", (file) => putBackTables(file, "RecoveryAndHardwareCore%")],
  ["a link that an import took away put back with its digest", putBackLink],
  [
    "the newest key of a computer passed off as a protector without a password",
    (file) => edit(file, `UPDATE ${keys} SET ProtectorKind = 1 WHERE ${idOf(3)}`),
  ],
  ["the newest key of a computer removed", (file) => edit(file, `DELETE FROM ${keys} WHERE ${idOf(3)}`)],
  [
    "a computer's link removed",
    (file) => edit(file, `DELETE FROM ${links} WHERE MachineId = (SELECT Id FROM ${machines} WHERE Name = 'PC-4')`),
  ],
  [
    "a computer removed with all that is its own",
    (file) =>
      edit(
        file,
        `DELETE FROM ${links} WHERE MachineId = (SELECT Id FROM ${machines} WHERE Name = 'PC-4')`,
        `DELETE FROM ${machines} WHERE Name = 'PC-4'`,
        `DELETE FROM ${keys} WHERE ${idOf(4)}`,
      ),
  ],
  [
    "a link led elsewhere, its digest kept",
    (file) =>
      edit(
        file,
        `UPDATE ${links} SET MachineId = 900000 WHERE MachineId = (SELECT Id FROM ${machines} WHERE Name = 'PC-4')`,
      ),
  ],
  ["a link twice", doubleLink],
  ["a key that an index does not lead to", hideFromIndex],
  [
    "a view that leaves a key out",
    (file) =>
      edit(
        file,
        `ALTER TABLE ${keys} RENAME TO hidden`,
        `CREATE VIEW ${keys} AS SELECT * FROM hidden WHERE random() % 2 = 0 OR NOT ${idOf(3)}`,
        `CREATE TRIGGER quiet INSTEAD OF UPDATE ON ${keys} BEGIN SELECT 1; END`,
      ),
  ],
];

const askFor = (computer: string): string => `Get-RecoveryKeys -ComputerName ${computer} -Reason x`;
const ask = (endpoint: Endpoint, command = askFor("PC-1,PC-2,PC-4")) => endpoint.ssh("support", command);
const eventsOf = (endpoint: Endpoint, type: string) =>
  endpoint.events().filter((event): event is typeof event & { readonly type: string } => event.type === type);

const isRefused = async (endpoint: Endpoint): Promise<void> => {
  for (const [user, command] of [
    ["support", "Get-RecoveryKeys -ComputerName PC-2 -Reason x"],
    ["exporter", "Get-RecoveryKeys -raw"],
    ["exporter", "Get-RecoveryKeys -raw -NoRotation"],
    ["exporter", "Get-RecoveryKeys -raw | Measure-Object"],
  ] as const) {
    const { status, stdout, stderr } = await endpoint.ssh(user, command);
    expect({ command, status, stdout, stderr }).toMatchObject({
      status: 7,
      stdout: "",
      stderr: expect.stringContaining("pep doctor"),
    });
  }
  expect(eventsOf(endpoint, "disclosure")).toEqual([]);
  expect(eventsOf(endpoint, "site-refused")).toHaveLength(1);
};

const started = (dataDirectory: string): Promise<Endpoint> => startEndpoint({ dataDirectory });
const doctor = (directory: string, ...more: string[]) => pep(["doctor", "--data-dir", directory, ...more]);

test("untouched: keys are shown, and doctor finds nothing", async () => {
  const directory = stage.stopped();
  const endpoint = await started(directory);
  const { status, stdout, stderr } = await ask(endpoint);
  expect(status, stderr).toBe(0);
  for (const number of [1, 2, 3, 4]) expect(stdout).toContain(passwordOf(number));
  expect((await doctor(directory, "--whole")).stdout).toMatch(/^ok {4}site-set: /m);
  await endpoint.end();
  expect((await doctor(directory, "--whole")).stdout).toMatch(/^ok {4}site-set: /m);
});

describe("while the server is stopped", () => {
  test.each(shareOf(attacks, 3))("%s: nothing is shown, counted or imported", async (_name, attack) => {
    const directory = stage.stopped();
    attack(site(directory));
    const looked = await doctor(directory, "--whole");
    expect(looked.stdout).toMatch(/^FAIL {2}site-set: [^\n]*pep site accept-restore/m);
    expect(looked.status).toBe(1);
    const endpoint = await started(directory);
    await isRefused(endpoint);
  });

  test.each(shareOf(attacks.slice(0, 2), 2))("%s: an import is refused, and writes nothing", async (_name, attack) => {
    const directory = stage.stopped();
    attack(site(directory));
    const before = readFileSync(site(directory));
    const { status, stderr } = await importing(directory, [{ key: 9, computer: "PC-9", volume: 9, month: 6 }]);
    expect(status, stderr).toBe(7);
    expect(stderr).toContain("pep site accept-restore");
    expect(readFileSync(site(directory)).equals(before)).toBe(true);
    await isRefused(await started(directory));
  });

  test("an older copy overtakes the record by no number of imports", async () => {
    const directory = stage.stopped();
    putBackFile(site(directory), stage.older);
    const statuses: unknown[] = [];
    for (const key of [7, 8, 9])
      statuses.push((await importing(directory, [{ key, computer: `PC-${key}`, volume: key, month: 6 }])).status);
    expect(statuses).toEqual([7, 7, 7]);
    await isRefused(await started(directory));
  });

  test.each(["log", "checkpoint and log"])("lines put into the %s don't make an older copy good", async (where) => {
    const directory = stage.stopped();
    putBackFile(site(directory), stage.older);
    const log = join(directory, "audit", "log");
    const segment = join(
      log,
      readdirSync(log)
        .filter((name) => name.endsWith(".ndjson"))
        .sort()
        .at(-1) ?? "",
    );
    const lines = readFileSync(segment, "utf8").trimEnd().split("\n");
    // Every state that the record ever had, said again.
    const said = lines.filter((line) => line.includes('"type":"site-written"'));
    expect(said.length).toBeGreaterThan(2);
    let next = lines.length + 1;
    const unsigned = (line: string): string => line.replace(/,"signature":"[^"]*"/, "");
    const more = said.map((line) => `${unsigned(line).replace(/"seq":\d+/, () => `"seq":${next++}`)}\n`).join("");
    writeFileSync(segment, `${lines.join("\n")}\n${more}`);
    if (where !== "log") {
      rmSync(join(directory, "audit", "checkpoint"));
      await expect(started(directory).then(isRefused)).resolves.toBeUndefined();
      return;
    }
    await isRefused(await started(directory));
  });

  test("a written state is signed before the import says so: nobody cuts it off the log", async () => {
    const directory = stage.stopped();
    const endpoint = await started(directory);
    expect((await importing(directory, [{ key: 9, computer: "PC-9", volume: 9, month: 6 }])).status).toBe(0);
    await endpoint.end();
    const seq = endpoint.events().findLastIndex(({ type }) => type === "site-written") + 1;
    const [, size = "0"] = readFileSync(join(directory, "audit", "checkpoint"), "utf8").split("\n");
    expect(seq).toBeGreaterThan(0);
    expect(Number(size)).toBeGreaterThanOrEqual(seq);
  });

  test("with an emptied record a database that was written before is not taken for a new one", async () => {
    const directory = stage.stopped();
    putBackFile(site(directory), stage.older);
    rmSync(join(directory, "audit"), { recursive: true });
    await isRefused(await started(directory));
    expect((await doctor(directory)).stdout).toMatch(/^FAIL {2}site-set: [^\n]*the record has none/m);
  });
});

describe("while the server runs", () => {
  test.each(
    shareOf(
      attacks.filter(([name]) => !/file put back|twice|view|index/.test(name)),
      4,
    ),
  )("%s: found", async (_name, attack) => {
    const directory = stage.stopped();
    const endpoint = await started(directory);
    expect((await ask(endpoint)).status).toBe(0);
    attack(site(directory));
    // What is asked before all rows were looked at again may still be answered.
    while ((await ask(endpoint)).status === 0);
    await expect.poll(() => eventsOf(endpoint, "site-refused").length, { timeout: 60_000 }).toBe(1);
    const { status, stdout, stderr } = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
    expect({ status, stdout }).toEqual({ status: 7, stdout: "" });
    expect(stderr).toContain("pep doctor");
  });
});
