import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EndpointError } from "../../../server/errors.ts";
import type { Problem } from "../../../server/import/contract.ts";
import { linesIn, linesOf, madeUpComputers } from "./known-keys.ts";
import { pwsh } from "./tools.ts";
import { writeWithPowerShell } from "./write-with-powershell.ts";

const computers = madeUpComputers(77);
const computerName = computers[0]?.computer ?? "";
const all = linesOf(computers);
const ofOne = all.filter((line) => line.startsWith(`${computerName} `));

const distinct = (lines: readonly string[]): readonly string[] => [...new Set(lines)].sort();
/** The lines of a file, or why it was refused. */
const read = async (path: string, options = {}): Promise<readonly string[] | string> =>
  linesIn(path, options).then(distinct, (error: unknown) => {
    expect(error).toBeInstanceOf(EndpointError);
    expect(error).toMatchObject({ message: expect.not.stringMatching(/\d{6}-\d{6}/) });
    return error instanceof EndpointError ? error.message : "";
  });

describe.skipIf(pwsh === undefined)("files that PowerShell 7 wrote (skipped: there is no pwsh)", () => {
  const directory = mkdtempSync(join(tmpdir(), "pep-powershell-"));
  let folder = "";
  beforeAll(async () => {
    folder = await writeWithPowerShell(computers, directory);
  }, 120_000);
  afterAll(() => process.env["KEEP"] === undefined && rmSync(directory, { recursive: true, force: true }));

  const filesOf = (kind: string): [string, string][] =>
    globSync("*", { cwd: join(folder, kind) })
      .sort()
      .map((name) => [name, join(folder, kind, name)]);

  test("each file that names its computers gives each key with its own", async () => {
    const files = filesOf("all");
    expect(files.length).toBeGreaterThan(50);
    for (const [name, path] of files) expect([name, await read(path)]).toEqual([name, distinct(all)]);
  });

  test("each file of one computer's protectors gives its keys under --computer-name, and asks for it", async () => {
    const files = filesOf("one");
    expect(files.length).toBeGreaterThan(20);
    for (const [name, path] of files) {
      expect([name, await read(path, { computerName })]).toEqual([name, distinct(ofOne)]);
      expect([name, await read(path)]).toEqual([name, expect.stringContaining("--computer-name")]);
    }
  });

  test("a file with several computers is never filed under one", async () => {
    for (const [name, path] of filesOf("all")) {
      expect([name, await read(path, { computerName })]).toEqual([name, expect.stringContaining("another computer")]);
    }
  });

  test.each([
    ["volumes-cut-off.json", "-Depth 4"],
    ["volumes-cut-off.xml", "-Depth 4"],
    ["volumes-lost.csv", "Get-BitLockerVolume | ConvertTo-Json -Depth 4"],
    ["volumes-table.txt", "this is none of the forms"],
    ["volumes-list.txt", "this is none of the forms"],
    ["keys-alone.txt", "the recovery password here has no clear key id"],
    ["rows-without-header.csv", "a table needs a header row"],
    ["rows-without-header.txt", "does not say which computer it is of"],
    ["rows-without-ids.csv", "the key id is missing"],
    ["encoding-ascii.csv", "the computer's name has characters"],
  ])("%s: %s", async (name, message) => {
    expect(await read(join(folder, "told", name))).toContain(message);
  });

  test("a file that a window cut or wrapped gives a key rightly, or tells of it", async () => {
    const files = filesOf("any");
    expect(files.length).toBeGreaterThan(100);
    let stored = 0;
    for (const [name, path] of files) {
      for (const options of [{}, { computerName }]) {
        const whole = await read(path, options);
        const told: Problem[] = [];
        const some = await read(path, { ...options, onSkipped: (problem: Problem) => told.push(problem) });
        for (const lines of [whole, some]) {
          if (typeof lines === "string") continue;
          stored += lines.length;
          expect([name, lines.filter((line) => !all.includes(line))]).toEqual([name, []]);
        }
      }
    }
    expect(stored).toBeGreaterThan(100);
  });
});
