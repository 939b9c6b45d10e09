import { describe, expect, test } from "vitest";
import { createMemorySite, makeKeys } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine } from "./run-line.ts";

const site = createMemorySite(makeKeys(7));
const ids = async (pipe: string): Promise<readonly string[]> =>
  (await readAll((await runLine(`Get-RecoveryKeys -raw | Select-Object PasswordId ${pipe}`, site)).result)).map((row) =>
    String(row[0]).slice(4, 8),
  );

describe("Select-Object", () => {
  // The newest first, of each computer.
  const windows: readonly (readonly [string, readonly number[]])[] = [
    ["", [3, 2, 1, 6, 5, 4, 7]],
    ["-First 3", [3, 2, 1]],
    ["-First 100", [3, 2, 1, 6, 5, 4, 7]],
    ["-Skip 5", [4, 7]],
    ["-Skip 7", []],
    ["-Skip 3 -First 2", [6, 5]],
    ["-Last 3", [5, 4, 7]],
    ["-Last 100", [3, 2, 1, 6, 5, 4, 7]],
    ["-First 5 | Select-Object -Last 2", [6, 5]],
    ["-Last 4 | Select-Object -First 1 -Skip 1", [5]],
  ];
  test.each(windows)("rows %s", async (pipe, numbers) => {
    expect(await ids(pipe)).toEqual(numbers.map((number) => String(number).padStart(4, "0")));
    const { result } = await runLine(`Get-RecoveryKeys -raw | Select-Object PasswordId ${pipe}`, site);
    expect(await rowsOf(result).count?.()).toBe(numbers.length);
  });

  test("columns come in the order asked for, in their own spelling", async () => {
    const { result } = await runLine(
      "Get-RecoveryKeys -raw -Format csv | select recoverykey,COMPUTERNAME -First 1",
      site,
    );
    expect(columnNames(result)).toEqual(["RecoveryKey", "ComputerName"]);
    expect(rowsOf(result).columns[0]?.secret).toBe(true);
    expect(rowsOf(result).format).toBe("csv");
    expect(await readAll(result)).toEqual([["•••", "PC-0001"]]);
  });

  test("a column that does not exist is refused with those that do", async () => {
    await expect(runLine("Get-RecoveryKeys -raw | Select-Object Nmae", site)).rejects.toThrow(
      "There is no such column. The columns are: PasswordId, RecoveryKey, ComputerName, VolumeId, VolumeType, LastUpdateTime.",
    );
    await expect(
      runLine("Get-RecoveryKeys | Select-Object PasswordId | Select-Object RecoveryKey", site),
    ).rejects.toMatchObject({ category: "InvalidArgument" });
    await expect(runLine("Get-Command | Select-Object constructor", site)).rejects.toThrow("There is no such column.");
    await expect(runLine("Get-RecoveryKeys | Select-Object PasswordId,VolumeType,passwordID", site)).rejects.toThrow(
      "A column is selected once at most.",
    );
  });
});

describe("Measure-Object", () => {
  test.each([
    ["Get-RecoveryKeys | Measure-Object", 7],
    ["Get-RecoveryKeys -raw | Select-Object -First 3 | measure", 3],
    ["Get-RecoveryKeys -VolumeType Unknown | measure", 0],
    ["backup-cert x | Measure-Object", 2],
    ["Get-Command | Measure-Object | Measure-Object", 1],
  ])("%s → %i", async (line, count) => {
    const { result } = await runLine(line, site);
    expect(columnNames(result)).toEqual(["Count"]);
    expect(await readAll(result)).toEqual([[count]]);
  });
});

describe("Get-Command", () => {
  const names = async (pattern: string): Promise<readonly unknown[]> =>
    (await readAll((await runLine(`Get-Command ${pattern}`, site)).result)).map(([name]) => name);

  const patterns: readonly (readonly [string, readonly string[]])[] = [
    ["*-object", ["Select-Object", "Sort-Object", "Measure-Object"]],
    ["*cert", ["verify-cert", "backup-cert", "create-cert", "restore-cert"]],
    ["Get-*Keys", ["Get-RecoveryKeys"]],
    [
      "*e*-*c*",
      [
        "verify-cert",
        "create-cert",
        "restore-cert",
        "Get-RecoveryKeys",
        "Get-RecoveryPackage",
        "Get-Command",
        "Get-Capability",
        "Select-Object",
        "Measure-Object",
      ],
    ],
    ["cls", ["Clear-Host"]],
    ["exit,Get-Help", ["Get-Help", "Exit-PSSession"]],
    ["nothing*", []],
    ["Get-HelpGet-Help*", []],
    ["Get-He*Help", []],
  ];
  test.each(patterns)("%s", async (pattern, found) => {
    expect(new Set(await names(pattern))).toEqual(new Set(found));
  });

  test("a whole name that is not there is not found", async () => {
    await expect(names("Get-Commands")).rejects.toMatchObject({ category: "ObjectNotFound" });
    await expect(names("exit,nothing")).rejects.toMatchObject({ category: "ObjectNotFound" });
  });
});

describe("Get-Help and the session's own commands", () => {
  test("one parameter, or all of them", async () => {
    const one = (await runLine("Get-Help Get-RecoveryKeys -Parameter since", site)).result;
    expect(one).toMatchObject({ kind: "text", text: expect.stringMatching(/^ {4}-Since <date>\n[^]*7d/) });
    const all = (await runLine("Get-Help get-azsrecoverykeys -Parameter *", site)).result;
    expect(all.kind === "text" ? all.text.match(/^ {4}-\w+/gm) : []).toHaveLength(12);
  });

  test.each([
    ["Get-Help Nothing", /no command of that name/],
    ["Get-Help verify-cert -Parameter Nothing", /It has: -raw, -Thumbprint, -Format\./],
    ["Get-Help cls -Parameter x", /has no parameters/],
  ])("%s", async (line, message) => {
    await expect(runLine(line, site)).rejects.toThrow(message);
    await expect(runLine(line, site)).rejects.toMatchObject({ category: "ObjectNotFound" });
  });

  test("the session clears and ends itself", async () => {
    expect((await runLine("cls", site)).result).toEqual({ kind: "session", action: "clear" });
    expect((await runLine("exit", site)).result).toEqual({ kind: "session", action: "exit" });
  });
});
