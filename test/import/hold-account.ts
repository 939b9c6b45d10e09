import { expect } from "vitest";
import { EndpointError } from "../../server/errors.ts";
import type { Problem, ReadOptions } from "../../server/import/contract.ts";
import { isGroupValue } from "../../server/model/recovery-password.ts";
import { pairs, readAll, writeFile } from "./recovery-data.ts";

const hyphenated = /(?<![0-9])[0-9]{6}(?:-[0-9]{6}){7}(?![0-9])/g;

/** A problem is told with the line on which its record begins, or its password stands. */
const linesOfARecord = 40;

const textOf = (bytes: Buffer): string =>
  bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString("utf16le") : bytes.toString("latin1");

/** The recovery passwords that stand in a file's bytes, found without the code that is tested. */
const passwordsIn = (bytes: Buffer): ReadonlySet<string> => {
  const found = textOf(bytes).match(hyphenated) ?? [];
  return new Set(found.filter((password) => password.split("-").every((group) => isGroupValue(Number(group)))));
};

const readOrRefuse = async (path: string, options: ReadOptions): Promise<ReadonlySet<string> | undefined> => {
  const result: unknown = await readAll(path, options).then(
    (records) => new Set(pairs(records).map(([, password]) => password ?? "")),
    (error: unknown) => error,
  );
  if (result instanceof Set) return result;
  expect(result).toBeInstanceOf(EndpointError);
  expect(result).toMatchObject({ message: expect.not.stringMatching(/[0-9]{6}-[0-9]{6}/) });
  return undefined;
};

/**
 * Reads a file in both ways and holds: the file is refused, or every recovery password in it is stored; with
 * `--skip-invalid`, stored or told of.
 *
 * @returns how many passwords stood in it
 */
export const holdAccount = async (
  directory: string,
  bytes: Buffer,
  computerName: string | undefined,
): Promise<number> => {
  const inFile = passwordsIn(bytes);
  const path = writeFile(directory, "keys", bytes);
  const stored = await readOrRefuse(path, { computerName });
  if (stored !== undefined) expect([...inFile].filter((password) => !stored.has(password))).toEqual([]);
  const told: Problem[] = [];
  const kept = await readOrRefuse(path, { computerName, onSkipped: (problem) => told.push(problem) });
  if (kept === undefined) return inFile.size;
  const text = textOf(bytes);
  const lines = text.split(/\r\n|\r|\n/);
  const isTold = (password: string): boolean =>
    lines.some(
      (line, index) =>
        line.includes(password) && told.some((problem) => Math.abs(problem.line - index - 1) <= linesOfARecord),
    );
  const untold = [...inFile].filter((password) => !kept.has(password) && !isTold(password));
  expect(untold).toEqual([]);
  return inFile.size;
};

type Random = () => number;
const upTo = (random: Random, limit: number): number => Math.floor(random() * limit);

const changeLines = (text: string, random: Random): string => {
  const lines = text.split("\n");
  const at = upTo(random, lines.length);
  const other = upTo(random, lines.length);
  const [one = "", two = ""] = [lines[at], lines[other]];
  switch (upTo(random, 5)) {
    case 0:
      return lines.toSpliced(at, 1 + upTo(random, 3)).join("\n");
    case 1:
      return lines.toSpliced(other, 0, one).join("\n");
    case 2:
      return lines.with(at, two).with(other, one).join("\n");
    case 3:
      return lines.with(at, `${one}${two}`).join("\n");
    default:
      return lines.with(at, one.slice(0, upTo(random, one.length))).join("\n");
  }
};

const changeBytes = (bytes: Buffer, random: Random): Buffer => {
  const at = upTo(random, bytes.length);
  const length = upTo(random, 40);
  switch (upTo(random, 5)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([upTo(random, 256)]), bytes.subarray(at + 1)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, upTo(random, 256)), bytes.subarray(at)]);
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(upTo(random, bytes.length))]);
  }
};

/** A file as an editor, a mail, a console or a bad disk leaves it: lines lost, doubled, exchanged, joined; bytes changed. */
export const damage = (bytes: Buffer, random: Random): Buffer => {
  const isWide = bytes[0] === 0xff;
  if (!isWide && random() < 0.5) return Buffer.from(changeLines(bytes.toString("latin1"), random), "latin1");
  return changeBytes(bytes, random);
};
