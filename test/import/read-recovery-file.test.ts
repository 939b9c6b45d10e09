import { createReadStream, createWriteStream, mkdirSync, chmodSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import type { Problem } from "../../server/import/contract.ts";
import { readRecoveryFile } from "../../server/import/read-recovery-file.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { aliveBytes } from "../harness/memory.ts";
import { rounds } from "../harness/share.ts";
import type { RecoveryRecord } from "../../server/site-database/recovery-record.ts";
import {
  createRandom,
  fixture,
  makeGuid,
  makePassword,
  pairs,
  readAll,
  samples,
  samplesAreThere,
  writeFile,
} from "./recovery-data.ts";

const header = "ComputerName,PasswordID,RecoveryPassword";

describe("problems of a file", () => {
  const rows = (count: number, isGood: (index: number) => boolean): string => {
    const random = createRandom(count);
    const lines = Array.from(
      { length: count },
      (_, index) => `PC-${index},${makeGuid(random)},${isGood(index) ? makePassword(random) : "000001-"}`,
    );
    return `${[header, ...lines].join("\n")}\n`;
  };

  test("all are told at once, with file and lines, and no record follows the first", async () => {
    const path = writeFile(
      temporaryDirectory(),
      "bad.csv",
      rows(10, (index) => index % 3 !== 1),
    );
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const { line } of readRecoveryFile(path)) seen.push(line);
    };
    await expect(reading()).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringMatching(
        /bad\.csv: nothing of it was imported: 3 problems\.\n  line 3: .*\n  line 6: .*\n  line 9: [^\n]*$/,
      ),
    });
    expect(seen).toEqual([2]);
  });

  test("no more than twenty are collected", async () => {
    const path = writeFile(
      temporaryDirectory(),
      "bad.csv",
      rows(50, () => false),
    );
    const error: unknown = await readAll(path).catch((reason: unknown) => reason);
    expect(String(error)).toContain("20 problems; there may be more");
    expect(String(error).split("\n")).toHaveLength(21);
  });

  test("with onSkipped invalid records are told and left out", async () => {
    const path = writeFile(
      temporaryDirectory(),
      "bad.csv",
      rows(50, (index) => index % 2 === 0),
    );
    const skipped: Problem[] = [];
    expect(await readAll(path, { onSkipped: (problem) => skipped.push(problem) })).toHaveLength(25);
    expect(skipped).toHaveLength(25);
    expect(skipped[0]).toEqual({ line: 3, message: expect.stringContaining("not well-formed") });
  });
});

describe("files that can't be read", () => {
  test("a file that is not there", async () => {
    await expect(readAll(join(temporaryDirectory(), "gone.csv"))).rejects.toMatchObject({
      category: "ObjectNotFound",
      message: expect.stringMatching(/gone\.csv: there is no such file\.$/),
    });
  });

  test("a directory", async () => {
    await expect(readAll(temporaryDirectory())).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("this is a directory"),
    });
  });

  test("a named pipe, without waiting for its writer", async () => {
    const pipe = join(temporaryDirectory(), "pipe");
    execFileSync("sh", ["-c", 'mkfifo "$0"', pipe]);
    await expect(readAll(pipe)).rejects.toThrow("this is not a regular file");
  });

  test.skipIf(process.getuid?.() === 0)("a file this account may not read (skipped: root may read all)", async () => {
    const path = writeFile(temporaryDirectory(), "secret.csv", header);
    chmodSync(path, 0);
    await expect(readAll(path)).rejects.toMatchObject({
      category: "ResourceUnavailable",
      message: expect.stringContaining("this account may not read it"),
    });
  });

  test.each([
    ["empty", "", "nothing to import: it is empty"],
    ["blank", " \r\n\r\n", "nothing to import: it is empty"],
    ["a mark alone", "\uFEFF", "nothing to import: it is empty"],
    ["binary", "\u007FELF\u0000\u0000", "not a text file"],
    [
      "a workbook",
      "PK\u0003\u0004\u0000\u0000",
      "this is an Excel workbook or an archive. Save the sheet as CSV UTF-8",
    ],
    ["XML of another program", '<?xml version="1.0"?><keys/>', "this is XML of another program"],
    ["prose", "Hello,\nthe keys are in the safe.\n", "this is none of the forms"],
  ])("%s", async (_, content, message) => {
    await expect(readAll(writeFile(temporaryDirectory(), "x.txt", content))).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining(message),
    });
  });

  test("UTF-16 cut off in the middle of a character", async () => {
    const bytes = Buffer.from(`\uFEFF${header}`, "utf16le").subarray(0, -1);
    await expect(readAll(writeFile(temporaryDirectory(), "x.csv", bytes))).rejects.toThrow("it is cut off");
  });

  test.each([
    ["little-endian", false],
    ["big-endian", true],
  ])("UTF-32, %s, as PowerShell writes it, and cut off", async (_, isBigEndian) => {
    const text = `\uFEFF${header}\nBÜRO-7,${makeGuid(createRandom(4))},${makePassword(createRandom(4))}\n`;
    const bytes = Buffer.alloc(text.length * 4);
    for (const [index, character] of Array.from(text).entries()) {
      const point = character.codePointAt(0) ?? 0;
      if (isBigEndian) bytes.writeUInt32BE(point, index * 4);
      else bytes.writeUInt32LE(point, index * 4);
    }
    const write = (content: Buffer): string => writeFile(temporaryDirectory(), "x.csv", content);
    expect((await readAll(write(bytes)))[0]?.computerName).toBe("BÜRO-7");
    await expect(readAll(write(bytes.subarray(0, -2)))).rejects.toThrow("it is cut off");
    bytes.fill(0x7f, 8, 12);
    await expect(readAll(write(bytes))).rejects.toThrow("not the UTF-32 it says it is");
  });

  test("UTF-16 without its mark is not taken for something else", async () => {
    const bytes = Buffer.from(header, "utf16le");
    await expect(readAll(writeFile(temporaryDirectory(), "x.csv", bytes))).rejects.toThrow("without a byte order mark");
  });

  test("a line of two megabytes", async () => {
    const text = `dn: CN=PC,DC=corp\ncn: ${"x".repeat(2_000_000)}`;
    await expect(readAll(writeFile(temporaryDirectory(), "x.ldf", text))).rejects.toThrow(":2: this line is longer");
  });

  test("a computer name that is none", async () => {
    await expect(readAll(fixture("manage-bde-all-kinds.txt"), { computerName: "PC 1;" })).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("--computer-name"),
    });
  });

  test("an abort stops the reading", async () => {
    const signal = AbortSignal.abort();
    await expect(readAll(fixture("get-adobject.csv"), { signal })).rejects.toMatchObject({
      category: "OperationStopped",
    });
  });

  test("control characters of a file's name do not reach the terminal", async () => {
    const directory = join(temporaryDirectory(), "a\u001B[2J\nb");
    mkdirSync(directory);
    const error: unknown = await readAll(directory).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.not.stringMatching(/\p{C}/u) });
  });
});

const allSamples: [string, Buffer][] = [
  ...["manage-bde-all-kinds.txt", "manage-bde-german.txt", "export.ldf", "get-adobject.csv"].map(fixture),
  ...(samplesAreThere
    ? [
        "BitLockerInfo.csv",
        "Get-BitLockerVolume-KeyProtector.json",
        "graph-recoveryKeys-with-key.json",
        "manage-bde-protectors-get-C.txt",
        "msFVE-RecoveryInformation.ldf",
      ].map((name) => join(samples, name))
    : []),
].map((path) => [path.replace(/.*\//, ""), readFileSync(path)]);

describe("damaged files", () => {
  const mutate = (bytes: Buffer, random: () => number): Buffer => {
    const at = Math.floor(random() * bytes.length);
    const length = Math.floor(random() * 40);
    const byte = Math.floor(random() * 256);
    switch (Math.floor(random() * 5)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + 1)]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, byte), bytes.subarray(at)]);
      default:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.floor(random() * bytes.length))]);
    }
  };

  test.each(allSamples)(
    "%s, cut or changed anywhere: an EndpointError that quotes nothing, or true keys",
    async (name, whole) => {
      const directory = temporaryDirectory();
      const options = /bde|Volume/.test(name) ? { computerName: "PC-1" } : {};
      const groupsOf = (records: readonly RecoveryRecord[]): string[] =>
        pairs(records).flatMap(([, password]) => password?.split("-") ?? []);
      const trueGroups = new Set(groupsOf(await readAll(writeFile(directory, "original", whole), options)));
      const random = createRandom(1);
      for (let round = 0; round < rounds(25, 250); round += 1) {
        const path = writeFile(directory, "damaged", mutate(whole, random));
        const onSkipped = round % 2 === 0 ? () => undefined : undefined;
        const result: unknown = await readAll(path, { ...options, onSkipped }).catch((reason: unknown) => reason);
        if (Array.isArray(result)) {
          expect(groupsOf(result).filter((group) => !trueGroups.has(group))).toEqual([]);
          continue;
        }
        expect(result).toBeInstanceOf(EndpointError);
        expect(result).toMatchObject({
          category: "InvalidArgument",
          message: expect.not.stringMatching(/\d{6}-\d{6}/),
        });
        expect(result).not.toHaveProperty("cause.message");
      }
    },
  );

  test.each(allSamples)("%s, cut after any line: an error, or every password up to there", async (name, whole) => {
    const directory = temporaryDirectory();
    const options = /bde|Volume/.test(name) ? { computerName: "PC-1" } : {};
    const newline = whole[0] === 0xff ? Buffer.from("\n", "utf16le") : Buffer.from("\n");
    const isPassword = ({ protector }: RecoveryRecord): boolean => protector.kind === "NumericalPassword";
    const all = (await readAll(writeFile(directory, "original", whole), options)).filter(isPassword);
    let lines = 0;
    for (let at = whole.indexOf(newline); at !== -1; at = whole.indexOf(newline, at + newline.length)) {
      lines += 1;
      const path = writeFile(directory, "cut", whole.subarray(0, at + newline.length));
      const found = await readAll(path, options).catch((reason: unknown) => reason);
      if (!Array.isArray(found)) continue;
      expect(pairs(found)).toEqual(pairs(all.filter(({ line }) => line <= lines)));
    }
    expect(lines).toBeGreaterThan(2);
  });
});

describe("files made to take forever", () => {
  const bde =
    "Volume C: [OS]\nAll Key Protectors\n\n    Numerical Password:\n      ID: {00FB8673-8B42-C835-484F-3E32248C1E89}\n";
  /** What takes the square of it takes minutes with either. */
  const many = rounds(300_000, 900_000);

  test.each([
    ["blanks in a password", `${bde}490270-6${" ".repeat(many)}!`],
    ["volumes without end", `${bde}${"A: [".repeat(many / 4)}`],
    ["labels without end", `${bde}${": ".repeat(many / 2)}x`],
    ["empty lines before an id", `x\n${"\n".repeat(many)}`],
    ["comments and empty lines", `#\n${" \n".repeat(many / 2)}x`],
    ["blanks in a cell", `${header}\nPC,${"a ".repeat(50_000)},${" ".repeat(100_000)}x${" ".repeat(100_000)}y`],
    ["quotes in a cell", `${header}\n${'"'.repeat(many)}`],
    ["delimiters", ",".repeat(many)],
    ["escapes in a name", `dn: CN=${"\\,".repeat(many / 2)},CN=x\nobjectClass: msFVE-RecoveryInformation\n`],
    ["folds of one character", `dn: CN=x\n${" a\n".repeat(many / 3)}`],
    ["attributes", `dn: CN=x\n${"a: b\n".repeat(many / 5)}`],
    ["names of a JSON object", `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}":0`).join(",")}}`],
    ["digits of a JSON number", `[${"1".repeat(many)}]`],
    ["JSON values after each other", "{} ".repeat(100_000)],
  ])("%s: an answer all the same", async (_, text) => {
    const path = writeFile(temporaryDirectory(), "slow", text);
    await expect(readAll(path, { computerName: "PC-1" })).rejects.toBeInstanceOf(EndpointError);
  });
});

describe("large files", () => {
  test("many rows need no more memory than a few", async () => {
    const path = join(temporaryDirectory(), "large.csv");
    const random = createRandom(3);
    const file = createWriteStream(path);
    file.write("Computer;Key;PasswordID;RecoveryPassword;DistinguishedName\r\n");
    const rows = rounds(90_000, 300_000);
    for (let index = 0; index < rows; index += 1000) {
      const block = Array.from({ length: 1000 }, (_, row) => {
        const name = `PC-${index + row}`;
        return `${name};;${makeGuid(random)};${makePassword(random)};CN=${name},OU=Rooms,DC=corp,DC=example\r\n`;
      });
      if (!file.write(block.join(""))) await once(file, "drain");
    }
    file.end();
    await once(file, "close");

    let count = 0;
    /** Every third of the file. */
    const held: number[] = [];
    for await (const { line } of readRecoveryFile(path)) {
      count += 1;
      if (line !== count + 1) throw new Error(`record ${count} is said to be on line ${line}`);
      if (count % (rows / 3) !== 0) continue;
      held.push(aliveBytes());
    }
    expect(count).toBe(rows);
    // A row takes 140 bytes of the file; what is held must not grow with it.
    const [first = 0, , last = Infinity] = held;
    expect(last - first).toBeLessThan(10 * 1024 * 1024);
  }, 120_000);

  test("the file is closed when its reader stops early", async () => {
    const path = writeFile(temporaryDirectory(), "keys.csv", readFileSync(fixture("get-adobject.csv")));
    const openDescriptors = (): number =>
      Number(
        execFileSync("sh", ["-c", `ls -l /proc/${process.pid}/fd | grep -c keys.csv || true`], { encoding: "utf8" }),
      );
    for await (const record of readRecoveryFile(path)) {
      expect(record.line).toBe(3);
      break;
    }
    await expect.poll(openDescriptors).toBe(0);
    await once(createReadStream(path).resume(), "close");
  });
});
