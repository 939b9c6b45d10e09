import { describe, expect, test } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import { createMemorySite, makeKeys } from "./memory-site.ts";
import { columnNames, readAll, rowsOf, runLine } from "./run-line.ts";

const keys = makeKeys(9);

describe("what is asked of the site", () => {
  test("every filter reaches it, in canonical spelling", async () => {
    const site = createMemorySite(keys);
    const { result } = await runLine(
      'Get-RecoveryKeys -ComputerName pc-0001 -RecoveryKeyId "{abcd00010000}" -VolumeType operatingsystem -Since 30d -Latest -Reason "lost pin"',
      site,
    );
    await readAll(result);
    expect(site.asked.at(-1)).toEqual({
      what: "mark",
      reason: "Lost PIN",
      passwordIds: ["ABCD0001-0000-4000-8000-000000000001"],
    });
    expect(site.asked.find(({ what }) => what === "read")).toEqual({
      what: "read",
      query: {
        computerNames: ["pc-0001"],
        passwordIds: ["ABCD0001-0000"],
        volumeTypes: ["OperatingSystem"],
        since: new Date("2026-10-23T12:00:00.000Z"),
        latest: true,
        withState: true,
      },
    });
  });

  test("without a filter it is every key of the site", async () => {
    const site = createMemorySite(keys);
    expect(await readAll((await runLine("Get-RecoveryKeys", site)).result)).toHaveLength(9);
    expect(site.asked[0]).toEqual({ what: "read", query: { withState: true } });
    expect(site.asked.at(-1)).toMatchObject({ what: "mark", reason: "No reason given" });
  });

  test("nothing is read before the first row is pulled, and then only what a computer's order needs", async () => {
    const site = createMemorySite(keys);
    const rows = rowsOf((await runLine("Get-RecoveryKeys", site)).result);
    expect(site.asked).toEqual([]);
    for await (const batch of rows.batches) {
      expect(batch).toHaveLength(3); // one computer's, newest first
      break;
    }
    expect(site.marked).toEqual([]);
  });
});

describe("what is marked as disclosed", () => {
  test("an ordinary read marks every key that is shown, and shows whether it was marked before", async () => {
    const site = createMemorySite(keys);
    const { result } = await runLine("Get-RecoveryKeys PC-0001", site);
    expect(columnNames(result)).toEqual([
      "ComputerName",
      "VolumeType",
      "PasswordId",
      "RecoveryKey",
      "LastUpdateTime",
      "Disclosed",
      "State",
    ]);
    expect((await readAll(result))[0]).toEqual([
      "PC-0001",
      "Removable",
      "ABCD0003-0000-4000-8000-000000000003",
      "•••",
      "2026-11-03T00:00:00.000Z",
      false,
      "Current",
    ]);
    expect(site.marked).toHaveLength(3);
  });

  test.each(["Get-RecoveryKeys -raw", "Get-RecoveryKeys -NoRotation", "Get-RecoveryKeys PC-0001 -NoRotation -raw"])(
    "%s marks none",
    async (line) => {
      const site = createMemorySite(keys);
      expect((await readAll((await runLine(line, site)).result)).length).toBeGreaterThan(0);
      expect(site.marked).toEqual([]);
      expect(site.asked.map(({ what }) => what)).not.toContain("mark");
    },
  );

  test.each([
    "Get-RecoveryKeys | Select-Object ComputerName,PasswordId",
    "Get-RecoveryKeys | Select-Object PasswordId -First 2",
    "Get-RecoveryKeys | Select-Object PasswordId | Select-Object -Last 1",
    "Get-RecoveryKeys | Measure-Object",
    "Get-RecoveryKeys | Select-Object -First 2 | Measure-Object",
  ])("%s shows no key, so it marks none", async (line) => {
    const site = createMemorySite(keys);
    const { result } = await runLine(line, site);
    expect(rowsOf(result).columns.some(({ secret }) => secret === true)).toBe(false);
    expect((await readAll(result)).flat().filter((cell) => cell === "•••")).toEqual([]);
    expect(site.marked).toEqual([]);
  });

  test("-First marks no batch beyond the one that fills it", async () => {
    const site = createMemorySite(keys);
    expect(await readAll((await runLine("Get-RecoveryKeys | Select-Object -First 2", site)).result)).toHaveLength(2);
    expect(site.marked).toHaveLength(2);
  });

  test.each([
    ["Get-RecoveryKeys | Select-Object -Last 1", ["ABCD0007-0000-4000-8000-000000000007"]],
    ["Get-RecoveryKeys | Select-Object -Skip 8", ["ABCD0007-0000-4000-8000-000000000007"]],
  ])("%s marks the key that is shown and no other", async (line, marked) => {
    const site = createMemorySite(keys);
    expect(await readAll((await runLine(line, site)).result)).toHaveLength(1);
    expect(site.marked).toEqual(marked);
  });
});

test.each([
  ["Get-RecoveryKeys", [3, 2, 1, 6, 5, 4, 9, 8, 7]],
  ["Get-RecoveryKeys PC-0002,PC-0001", [3, 2, 1, 6, 5, 4]],
  ["Get-RecoveryKeys -RecoveryKeyId ABCD0001,ABCD0008,ABCD0004", [8, 4, 1]],
])("%s has the newest first, of each computer or of all ids", async (line, numbers) => {
  const { result } = await runLine(`${line} | Select-Object PasswordId`, createMemorySite(keys));
  expect((await readAll(result)).map(([id]) => Number(String(id).slice(4, 8)))).toEqual(numbers);
});

test("a volume that no source named has no id", async () => {
  const [first] = keys;
  if (first === undefined) throw new Error("no key");
  const site = createMemorySite([{ ...first, volumeId: undefined }]);
  expect((await readAll((await runLine("Get-RecoveryKeys -raw", site)).result))[0]?.[3]).toBe(null);
});

describe("-raw", () => {
  test("has its six columns in the promised order, and JSON unless told otherwise", async () => {
    const site = createMemorySite(keys);
    const { result } = await runLine("Get-RecoveryKeys -raw", site);
    expect(columnNames(result)).toEqual([
      "PasswordId",
      "RecoveryKey",
      "ComputerName",
      "VolumeId",
      "VolumeType",
      "LastUpdateTime",
    ]);
    expect(rowsOf(result).format).toBe("json");
    expect(rowsOf((await runLine("Get-RecoveryKeys -raw -Format csv", site)).result).format).toBe("csv");
    expect(await readAll(result)).toHaveLength(9);
  });

  test("of an empty site is no rows, not an error", async () => {
    expect(await readAll((await runLine("Get-RecoveryKeys -raw", createMemorySite([]))).result)).toEqual([]);
  });
});

describe("a computer by another form of its name", () => {
  const [first, second, third, fourth] = keys;
  if (first === undefined || second === undefined || third === undefined || fourth === undefined)
    throw new Error("no keys");
  const site = (...names: readonly string[]) =>
    createMemorySite(
      [first, second, third, fourth]
        .slice(0, names.length)
        .map((key, index) => ({ ...key, computerName: names[index] ?? "" })),
    );
  const run = async (line: string, ...names: readonly string[]) => {
    const told: string[] = [];
    const { result } = await runLine(`Get-RecoveryKeys ${line}`, site(...names), { prompts: [], told });
    const computers = (await readAll(result)).map(([name]) => name);
    return { told, computers, exitStatus: rowsOf(result).exitStatus };
  };

  test.each([
    ["LAB-1", "LAB-1.corp.example"],
    ["LAB-1.corp.example", "LAB-1"],
    [String.raw`'CORP\LAB-1$'`, "lab-1.corp.example"],
    ["'\u00A0LAB-1\u00A0'", "LAB-1.corp.example"],
  ])("%s finds the keys of %s, and says so", async (typed, stored) => {
    const { told, computers } = await run(typed, stored, "LAB-10.corp.example");
    expect(computers).toEqual([stored]);
    expect(told).toEqual([expect.stringContaining(`is stored as ${stored}.`)]);
  });

  test("the very name wins, and the others are named", async () => {
    const { told, computers, exitStatus } = await run("LAB-1", "LAB-1.corp.example", "LAB-1");
    expect([computers, exitStatus]).toEqual([["LAB-1"], undefined]);
    expect(told).toEqual(["There are also keys of LAB-1.corp.example."]);
  });

  test("of several none is chosen: they are named, and nothing is shown", async () => {
    await expect(run("LAB-1", "LAB-1.a.example", "LAB-1.b.example")).rejects.toMatchObject({
      category: "ObjectNotFound",
      message: "LAB-1 may be LAB-1.a.example or LAB-1.b.example, so no key of these is shown: give one of these names.",
    });
  });

  test("what the other filters leave out makes no name ambiguous", async () => {
    const { computers } = await run("LAB-1 -VolumeType FixedData", "LAB-1.a.example", "LAB-1.b.example");
    expect(computers).toEqual(["LAB-1.b.example"]);
  });

  test("of several names those that are clear are answered, once each", async () => {
    const line = "LAB-1,LAB-2,LAB-2.corp.example,NO-PC";
    const { told, computers, exitStatus } = await run(line, "LAB-1.a.example", "LAB-1.b.example", "LAB-2.corp.example");
    expect([computers, exitStatus]).toEqual([["LAB-2.corp.example"], 3]);
    expect(told.join(" ")).toContain("computer NO-PC. LAB-1 may be");
  });

  test("a computer that is named in both forms counts once", async () => {
    const line = "Get-RecoveryKeys LAB-2,LAB-2.corp.example";
    const { result } = await runLine(line, site("LAB-2.corp.example"), { prompts: [] });
    expect(await rowsOf(result).count?.()).toBe(1);
    expect(await readAll(result)).toHaveLength(1);
  });
});

describe("the digits of the recovery screen as the first word", () => {
  const run = async (line: string, site = createMemorySite(keys)) => {
    const told: string[] = [];
    const { result } = await runLine(line, site, { prompts: [], told });
    return { told, ids: (await readAll(result)).map(([, , id]) => String(id).slice(0, 8)) };
  };

  test.each(["abcd0002", "ABCD0002-0000-4000-8000-000000000002", "abcd0002 -Latest"])(
    "%s is a key id where no computer has that name",
    async (words) => {
      expect(await run(`Get-RecoveryKeys ${words}`)).toEqual({
        ids: ["ABCD0002"],
        told: ["-ComputerName finds nothing there, so it was read as -RecoveryKeyId."],
      });
    },
  );

  test("several are several key ids", async () => {
    expect((await run("Get-RecoveryKeys ABCD0002,ABCD0003")).ids).toEqual(["ABCD0003", "ABCD0002"]);
  });

  test("a computer of that very name wins, and the hint says how to ask for the key id", async () => {
    const [first, ...others] = keys;
    if (first === undefined) throw new Error("no key");
    const site = createMemorySite([{ ...first, computerName: "ABCD0002" }, ...others]);
    expect(await run("Get-RecoveryKeys ABCD0002", site)).toEqual({
      ids: ["ABCD0001"],
      told: ["It was read as -ComputerName. To read it as -RecoveryKeyId, write: -RecoveryKeyId ABCD0002"],
    });
  });

  test("of several computers with that short name none is chosen, nor a key id, and the hint says how to ask for it", async () => {
    const names = ["DEADBEEF.a.example", "DEADBEEF.b.example"];
    const ids = ["DEADBEEF", "ABCD0009"];
    const site = createMemorySite(
      keys.slice(0, 2).map((key, index) => ({
        ...key,
        computerName: names[index] ?? "",
        passwordId: `${ids[index] ?? ""}${key.passwordId.slice(8)}`,
      })),
    );
    const told: string[] = [];
    await expect(runLine("Get-RecoveryKeys DEADBEEF", site, { prompts: [], told })).rejects.toMatchObject({
      category: "ObjectNotFound",
      message:
        "DEADBEEF may be DEADBEEF.a.example or DEADBEEF.b.example, so no key of these is shown: give one of these names.",
    });
    expect(told).toEqual([
      "It was read as -ComputerName. To read it as -RecoveryKeyId, write: -RecoveryKeyId DEADBEEF",
    ]);
    expect(site.asked.some(({ query }) => query?.passwordIds !== undefined)).toBe(false);
    expect((await run("Get-RecoveryKeys -RecoveryKeyId DEADBEEF", site)).ids).toEqual(["DEADBEEF"]);
  });

  test("neither a computer nor a key id: both are said", async () => {
    await expect(run("Get-RecoveryKeys ddac3fba")).rejects.toMatchObject({
      category: "ObjectNotFound",
      message:
        "It was read as -ComputerName and as -RecoveryKeyId. No recovery key was found for a key id that begins with DDAC3FBA.",
    });
  });

  test.each(["Get-RecoveryKeys -ComputerName ABCD0002", "Get-RecoveryKeys ABCD0002,NO-PC", "Get-RecoveryKeys ABCD000"])(
    "%s is about computers only",
    async (line) => {
      await expect(run(line)).rejects.toMatchObject({ category: "ObjectNotFound" });
    },
  );
});

describe("what is not there", () => {
  const notFound: readonly (readonly [string, string])[] = [
    ["Get-RecoveryKeys NO-PC", "No recovery key was found for computer NO-PC."],
    [
      "Get-RecoveryKeys -ComputerName ddac3fba",
      "No recovery key was found for computer ddac3fba. Is it from the recovery screen? Then it is a key id: -RecoveryKeyId ddac3fba",
    ],
    [
      "Get-RecoveryKeys -RecoveryKeyId FFFFFFFF-0000-4000-8000-000000000001",
      "No recovery key was found for key id FFFFFFFF-0000-4000-8000-000000000001.",
    ],
    ["Get-RecoveryKeys -RecoveryKeyId ffffffff", "No recovery key was found for a key id that begins with FFFFFFFF."],
    [
      "Get-RecoveryKeys PC-0001,NO-PC,PC-0002,NO-2 -Strict",
      "No recovery key was found for computer NO-PC, computer NO-2.",
    ],
    [
      "Get-RecoveryKeys PC-0001 -Since 2027-01-01",
      "No recovery key was found for computer PC-0001 with the given -VolumeType, -Since or -Latest.",
    ],
    ["Get-RecoveryKeys -raw NO-PC", "No recovery key was found for computer NO-PC."],
  ];
  test.each(notFound)("%s", async (line, message) => {
    const site = createMemorySite(keys);
    const failure = await runLine(line, site).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(EndpointError);
    expect(failure).toMatchObject({ category: "ObjectNotFound", exitStatus: 3, message });
    expect(site.marked).toEqual([]);
  });

  test.each([
    ["PC-0001,NO-PC,PC-0002,NO-2", 6, "computer NO-PC, computer NO-2"],
    ["-RecoveryKeyId ABCD0001,FFFFFFFF", 1, "a key id that begins with FFFFFFFF"],
    ["-raw PC-0001,NO-PC", 3, "computer NO-PC"],
  ])("of several, %s, those that are there are shown and the others named", async (line, rows, missing) => {
    const told: string[] = [];
    const site = createMemorySite(keys);
    const { result } = await runLine(`Get-RecoveryKeys ${line}`, site, { prompts: [], told });
    expect(told).toEqual([`No recovery key was found for ${missing}.`]);
    expect(await readAll(result)).toHaveLength(rows);
    expect(rowsOf(result).exitStatus).toBe(3);
  });

  test("computers and ids that don't belong together are not found", async () => {
    const line = "Get-RecoveryKeys PC-0001,PC-0002 -RecoveryKeyId ABCD0007";
    await expect(runLine(line, createMemorySite(keys))).rejects.toMatchObject({ category: "ObjectNotFound" });
  });

  test("a filter that names nothing may find nothing", async () => {
    const site = createMemorySite(keys);
    expect(await readAll((await runLine("Get-RecoveryKeys -VolumeType Unknown", site)).result)).toEqual([]);
  });
});

describe("what goes on the record", () => {
  test("every parameter in canonical spelling, and the reason", async () => {
    const { bound } = await runLine(
      "get-azsrecoverykeys -comp PC-0001,PC-0002 -vol operatingsystem,fixeddata" +
        " -lat -rea 'TPM reset' -form JSON | select passwordid,computername -first 3",
      createMemorySite(keys),
    );
    expect(bound.command.name).toBe("Get-RecoveryKeys");
    expect(bound.command.parameters).toEqual({
      ComputerName: ["PC-0001", "PC-0002"],
      VolumeType: ["OperatingSystem", "FixedData"],
      Latest: true,
      Reason: "TPM reset",
      Format: "json",
    });
    expect(bound.command.reason).toBe("TPM reset");
    expect(bound.shaping.map(({ canonical }) => canonical)).toEqual([
      "Select-Object -Property passwordid,computername -First 3",
    ]);
  });

  test("a recovery key typed as a reason is refused before the site is asked", async () => {
    const key = "235818-357951-253979-013365-241120-245575-342914-591910";
    const site = createMemorySite(keys);
    await expect(runLine(`Get-RecoveryKeys PC-0001 -Reason 'user read ${key} to me'`, site)).rejects.toThrow(
      "-Reason must not hold a recovery key",
    );
    expect(site.asked).toEqual([]);
  });
});
