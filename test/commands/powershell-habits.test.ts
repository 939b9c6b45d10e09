import { describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { join } from "node:path";
import { createMemorySite, makeKeys } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine } from "./run-line.ts";

const keys = makeKeys(9);
const ids = async (line: string): Promise<readonly number[]> => {
  const { result } = await runLine(line, createMemorySite(keys));
  return (await readAll(result)).map(([id]) => Number(String(id).slice(4, 8)));
};

describe("Sort-Object", () => {
  test.each([
    ["LastUpdateTime", [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ["lastupdatetime -Descending", [9, 8, 7, 6, 5, 4, 3, 2, 1]],
    ["VolumeType,LastUpdateTime", [2, 5, 8, 1, 4, 7, 3, 6, 9]],
    ["", [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ])("sorts by %s", async (by, numbers) => {
    await expect(ids(`Get-RecoveryKeys -raw | Sort-Object ${by}`)).resolves.toEqual(numbers);
  });

  test("in front of -First it takes what stands first then", async () => {
    await expect(ids("Get-RecoveryKeys -raw | sort LastUpdateTime | select -First 2")).resolves.toEqual([1, 2]);
  });

  test("sorts by no key, by no column that is not there, and no rows without an end", async () => {
    const by = (column: string) => runLine(`Get-RecoveryKeys | Sort-Object ${column}`, createMemorySite(keys));
    await expect(by("RecoveryKey")).rejects.toThrow("Rows can't be sorted by a recovery key.");
    await expect(by("Nmae")).rejects.toThrow("There is no such column. The columns are: ComputerName,");
  });

  test("holds 10,000 rows at most", async () => {
    const site = createMemorySite(makeKeys(10_001).map((key) => ({ ...key, computerName: "PC" })));
    const { result } = await runLine("Get-RecoveryKeys -raw | Sort-Object PasswordId", site);
    await expect(readAll(result)).rejects.toMatchObject({ category: "LimitsExceeded" });
  });
});

test.each([
  ["Get-RecoveryKeys PC-0001 | Format-List", "list", 7],
  ["Get-RecoveryKeys PC-0001 | fl *", "list", 7],
  ["Get-RecoveryKeys PC-0001 -raw | Format-Table PasswordId,RecoveryKey", "table", 2],
  ["Get-RecoveryKeys PC-0001 -Format csv | ft ComputerName", "table", 1],
])("%s", async (line, format, columns) => {
  const { result } = await runLine(line, createMemorySite(keys));
  expect(rowsOf(result).format).toBe(format);
  expect(columnNames(result)).toHaveLength(columns);
  expect(await readAll(result)).toHaveLength(3);
});

const support = loadRolesFile(join(import.meta.dirname, "..", "..", "jea-roles.json"), commands).commandsFor("support");
const refusalOf = (line: string): string => {
  try {
    support.bindLine(line);
    return "accepted";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

test.each([
  ["Export-Csv keys.csv -NoTypeInformation", "-Format csv"],
  ["ConvertTo-Csv", "-Format csv"],
  ["ConvertTo-Json -Depth 3", "-Format json"],
  ["Out-File keys.txt", "ssh HOST COMMAND > FILE"],
  ["Where-Object VolumeType -eq OperatingSystem", "own parameters filter"],
  ["? VolumeType -eq OperatingSystem", "own parameters filter"],
  ["%", "A,B,C"],
  ["ForEach-Object RecoveryKey", "A,B,C"],
  ["Group-Object ComputerName", "on your own machine"],
  ["more", "Leave it out"],
  ["clip", "on your own machine"],
  ["Format-Wide", "Format-List and Format-Table"],
])("| %s is answered with what does the same", (habit, way) => {
  const message = refusalOf(`Get-RecoveryKeys DEMO-PC-01 | ${habit}`);
  expect(message).toContain("A pipe leads only into Select-Object, Sort-Object,");
  expect(message).toContain(way);
});

test.each(["-?", "/?", "--help", "-Help", "-h", "DEMO-PC-01 -?", "DEMO-PC-01 --help"])(
  "Get-RecoveryKeys %s is help",
  (ask) => {
    const { command } = support.bindLine(`Get-RecoveryKeys ${ask}`);
    expect([command.name, command.parameters]).toEqual(["Get-Help", { Name: "Get-RecoveryKeys" }]);
  },
);

test.each(["--help", "-help", "-h", "?", "/?", "-?", "/help", " --HELP "])("%j alone is help", (line) => {
  expect(support.bindLine(line).command.name).toBe("Get-Help");
});

test("a question of another kind is none for help", () => {
  expect(support.bindLine("Get-RecoveryKeys DEMO-PC-01 -Reason '/?'").command.name).toBe("Get-RecoveryKeys");
  expect(refusalOf("No-Such /?")).toBe(refusalOf("No-Such"));
  expect(refusalOf("backup-cert --help")).toBe(refusalOf("No-Such --help"));
});

test("Get-Help -Examples has the examples, -Full and -Detailed the whole text", async () => {
  const text = async (line: string): Promise<string> => {
    const { result } = await runLine(line, createMemorySite(keys));
    return result.kind === "text" ? result.text : "";
  };
  const whole = await text("Get-Help Get-RecoveryKeys");
  await expect(text("Get-Help Get-RecoveryKeys -Full")).resolves.toBe(whole);
  await expect(text("Get-Help Get-RecoveryKeys -Detailed")).resolves.toBe(whole);
  const examples = await text("Get-Help Get-RecoveryKeys -Examples");
  expect(examples).toContain("EXAMPLES");
  expect(examples).not.toContain("PARAMETERS");
  expect(whole).toContain(examples.slice(examples.indexOf("EXAMPLES")));
});
