import { array, assert as assertProperty, asyncProperty, boolean, integer } from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReadOptions } from "../../server/import/contract.ts";
import { readRecoveryFile } from "../../server/import/read-recovery-file.ts";
import { revealSecret } from "../../server/secret.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import {
  createRandom,
  fixture,
  guidBase64,
  makeGuid,
  makePassword,
  pairs,
  readAll,
  writeFile,
} from "./recovery-data.ts";

const password = "490270-696377-450109-664092-596629-028820-126104-257345";
const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const other = "601C567F-BB55-22E5-3A50-AE8DAE18AEFD";
const entry = [
  `dn: CN=2024-05-06T09:10:11-00:00{${id}},CN=PC-7,DC=corp`,
  "objectClass: msFVE-RecoveryInformation",
  "whenCreated: 20240506071011.0Z",
  `msFVE-RecoveryPassword: ${password}`,
  `msFVE-RecoveryGuid:: ${guidBase64(id)}`,
];

const readText = (text: string, options = {}): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "export.ldf", text), options);
const readEntry = (change: (lines: string[]) => string[]): ReturnType<typeof readAll> =>
  readText(`${change([...entry]).join("\n")}\n`);
const without = (name: string) => (lines: string[]) => lines.filter((line) => !line.startsWith(name));
const replaced = (from: string, to: string) => (lines: string[]) => lines.map((line) => line.replace(from, to));

describe("what a directory has of TPMs", () => {
  const hash = Buffer.alloc(20, 7).toString("base64");
  const readTpm = async (lines: readonly string[], options: ReadOptions = {}): Promise<unknown[]> => {
    const path = writeFile(temporaryDirectory(), "tpm.ldf", [...entry, "", ...lines, ""].join("\n"));
    const found: unknown[] = [];
    for await (const record of readRecoveryFile(path, options))
      if (!("protector" in record))
        found.push([record.computerName, revealSecret(record.tpmPasswordHash), record.line]);
    return found;
  };
  const computer = ["dn: CN=PC-8,OU=PCs,DC=corp", "objectClass: computer", `msTPM-OwnerInformation: ${hash}`];
  const backLink = (name: string): string => `msTPM-TpmInformationForComputerBL: CN=${name},OU=PCs,DC=corp`;
  const object = (...links: readonly string[]): readonly string[] => [
    "dn: CN=0a1b2c,CN=TPM Devices,DC=corp",
    "objectClass: msTPM-InformationObject",
    `msTPM-OwnerInformation: ${hash}`,
    ...links.map(backLink),
  ];

  test("a computer's own attribute, and a TPM object's for each computer that it names", async () => {
    expect(await readTpm(computer)).toEqual([["PC-8", hash, 9]]);
    expect(await readTpm(object("PC-8", "PC-9"))).toEqual([
      ["PC-8", hash, 9],
      ["PC-9", hash, 9],
    ]);
  });

  test.each([
    ["an object that names no computer", object()],
    ["a hash of another form", computer.map((line) => line.replace(hash, "tpm"))],
    ["a name that no computer has", object("PC\\+8")],
  ])("%s is passed over, and refuses no key", async (_, lines) => {
    let passedOver = 0;
    expect(await readTpm(lines, { onPassedOver: () => (passedOver += 1) })).toEqual([]);
    expect(passedOver).toBe(1);
  });

  test("another computer's than --computer-name says is passed over", async () => {
    expect(await readTpm(computer, { computerName: "PC-7" })).toEqual([]);
  });
});

describe("LDIF of Active Directory", () => {
  test("escapes in the name, folded and base64 values, comments, options and entries of other classes", async () => {
    const records = await readAll(fixture("export.ldf"));
    expect(pairs(records)).toEqual([
      [id, password],
      [other, "428373-694848-697466-395450-590062-004103-372031-236489"],
    ]);
    expect(records[0]).toMatchObject({
      line: 11,
      computerName: "PC-7",
      lastUpdateTime: "2024-05-06T07:10:11.000Z",
      recoveryPackage: Buffer.from([1, 2, 3, 4]),
    });
    // No whenCreated: the time in the object's name, with its offset.
    expect(records[1]).toMatchObject({ computerName: "Büro-8", lastUpdateTime: "2024-05-07T05:00:00.000Z" });
  });

  test.each([
    ["CN=PC\\+1", "an escaped plus sign"],
    ["CN=PC\\2C1", "an escaped comma"],
  ])("a computer name with %s (%s) is refused, not cut", async (name) => {
    await expect(readEntry(replaced("CN=PC-7", name))).rejects.toThrow("line 1: the computer's name has characters");
  });

  test("an escaped character that a name may have is taken out of its escape", async () => {
    const [record] = await readEntry(replaced("CN=PC-7", "CN=PC\\2D7\\C3\\BC"));
    expect(record?.computerName).toBe("PC-7ü");
  });

  test("ANSI bytes in a name", async () => {
    const text = entry.join("\n").replace("CN=PC-7", "CN=Büro-7");
    const path = writeFile(temporaryDirectory(), "ansi.ldf", Buffer.from(text, "latin1"));
    expect((await readAll(path))[0]?.computerName).toBe("Büro-7");
  });

  test.each([
    ["no password", without("msFVE-RecoveryPassword"), "line 1: this entry's recovery password is missing"],
    ["only a name", (lines: string[]) => lines.slice(0, 1), "line 1: this entry's recovery password is missing"],
    ["a cut password", replaced(password, password.slice(0, 40)), "line 4: the recovery password is not well-formed"],
    ["a cut GUID", replaced(guidBase64(id), guidBase64(id).slice(0, 20)), "line 5: msFVE-RecoveryGuid is not a GUID"],
    ["cut base64", replaced(guidBase64(id), guidBase64(id).slice(0, 21)), ":5: this base64 value is damaged"],
    [
      "another GUID than its name",
      replaced(guidBase64(id), guidBase64(other)),
      "line 1: the entry's name has another key id",
    ],
    [
      "no name",
      (lines: string[]) => ["version: 1", "", ...lines.slice(1)],
      "line 3: this entry has no distinguished name",
    ],
    ["no computer above it", replaced(",CN=PC-7", ""), "line 1: the computer's name is missing"],
    ["a time that is none", replaced("20240506071011", "20241306071011"), "line 3: whenCreated is not a time"],
    ["two passwords", (lines: string[]) => [...lines, entry[3] ?? ""], "line 6: this entry has an attribute twice"],
    [
      "a deletion",
      (lines: string[]) => [lines[0] ?? "", "changetype: delete", ...lines.slice(1)],
      "line 2: this is a change",
    ],
    ["a line that is none", (lines: string[]) => [...lines, password], ":6: this is not a line of LDIF"],
    [
      "a package that is too large",
      (lines: string[]) => [...lines, `msFVE-KeyPackage:: ${"AAAA".repeat(2334)}`],
      "line 1: the recovery package is larger",
    ],
    [
      "a volume GUID that is none",
      (lines: string[]) => [...lines, "msFVE-VolumeGuid:: AAAA"],
      "line 6: msFVE-VolumeGuid is not",
    ],
  ])("%s: an error with its line", async (_, change, message) => {
    const error: unknown = await readEntry(change).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ category: "InvalidArgument", message: expect.stringContaining(message) });
    expect(String(error)).not.toMatch(/\d{6}-\d{6}/);
  });

  test("objects that lost a conflict, and deleted ones, are of their computers", async () => {
    const mark = "\\0ACNF:cd52897f-ef12-9170-2e58-294c03d5ced3";
    expect((await readEntry(replaced(",CN=PC-7", `,CN=PC-7${mark}`)))[0]?.computerName).toBe("PC-7");
    const deleted = (lines: string[]): string[] => [
      ...replaced(",CN=PC-7", `${mark.replace("CNF", "DEL")},CN=Deleted Objects`)(lines),
      "isDeleted: TRUE",
      `lastKnownParent: CN=PC-7${mark.replace("CNF", "DEL")},CN=Deleted Objects,DC=corp`,
    ];
    expect((await readEntry(deleted))[0]?.computerName).toBe("PC-7");
    await expect(readEntry((lines) => deleted(lines).slice(0, -1))).rejects.toThrow("the computer's name is missing");
  });

  test("ldapsearch's comments go on in the next line where a name has a line feed in it", async () => {
    const comment = `# 2024-05-06T09:10:11-00:00{${id}}\nDEL:cd52897f-\n ef12-9170-2e58-294c03d5ced3, Deleted Objects, corp`;
    const text = `# extended LDIF\n#\n\n${comment}\n${entry.join("\n")}\n\n# search result\nsearch: 2\nresult: 0 Success\n`;
    expect(pairs(await readText(text))).toEqual([[id, password]]);
    expect(pairs(await readText(text.replace(/DEL:.*\n.*/, "CNF:cd52897f-ef12-9170-2e58-294c03d5ced3, PC-7")))).toEqual(
      [[id, password]],
    );
  });

  test("values that ldapsearch -t has put into files are not there", async () => {
    const inFile = (name: string) => (lines: string[]) =>
      lines.map((line) => (line.startsWith(name) ? `${name}:< file:///tmp/ldapsearch-1` : line));
    expect(pairs(await readEntry(inFile("msFVE-RecoveryGuid")))).toEqual([[id, password]]);
    await expect(readEntry(inFile("msFVE-RecoveryPassword"))).rejects.toThrow("recovery password is missing");
  });

  test("an account that may not read passwords is told of, with the count", async () => {
    const blind = without("msFVE-RecoveryPassword")([...entry]).join("\n");
    await expect(readText(`${blind}\n\n${blind}\n\n${blind}`)).rejects.toThrow(
      "none of the 3 recovery objects has a readable password: the account that exported them may lack the right",
    );
  });

  test("an export of other objects only: nothing to import", async () => {
    await expect(readText("dn: CN=PC-7,DC=corp\nobjectClass: computer\n")).rejects.toThrow("nothing to import");
  });

  test("any folding of any entry reads the same (RFC 2849 §2)", async () => {
    const directory = temporaryDirectory();
    await assertProperty(
      asyncProperty(
        integer(),
        array(integer({ min: 1, max: 30 }), { minLength: 1 }),
        boolean(),
        async (seed, widths, crlf) => {
          const random = createRandom(seed);
          const key = makeGuid(random);
          const made = makePassword(random);
          const end = crlf ? "\r\n" : "\n";
          const lines = [
            `dn: CN=2024-05-06T09:10:11-00:00{${key}},CN=PC-7,DC=corp`,
            "objectClass: msFVE-RecoveryInformation",
            `msFVE-RecoveryPassword: ${made}`,
            `msFVE-RecoveryGuid:: ${guidBase64(key)}`,
          ];
          let turn = 0;
          const fold = (line: string, index: number): string => {
            const pieces: string[] = [];
            for (let rest = line; rest !== ""; turn += 1) {
              // The file's first three characters tell its form.
              const width = Math.max(widths[turn % widths.length] ?? 1, index + pieces.length === 0 ? 3 : 1);
              pieces.push(rest.slice(0, width));
              rest = rest.slice(width);
            }
            return pieces.join(`${end} `);
          };
          const path = writeFile(directory, "folded.ldf", lines.map(fold).join(end) + end);
          expect(pairs(await readAll(path))).toEqual([[key, made]]);
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });
});
