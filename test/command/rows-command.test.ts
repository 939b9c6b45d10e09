import { describe, expect, test } from "vitest";
import type { CommandContext, CommandResult, Row } from "../../server/command/define-command.ts";
import { flag } from "../../server/command/parameters.ts";
import type { RawParameters } from "../../server/command/parameters.ts";
import { columnsOf, rowsCommand, rowsResult } from "../../server/command/rows-command.ts";
import type { ColumnOf } from "../../server/command/rows-command.ts";

const facts = { name: "Get-Pet", synopsis: "Lists pets.", description: "Lists pets.", examples: [] };

interface Pet {
  readonly name: string;
  readonly legs: number;
}

const pets: readonly Pet[] = [
  { name: "Tweety", legs: 2 },
  { name: "Tom", legs: 4 },
];
const columns: readonly ColumnOf<Pet>[] = [
  { name: "Name", width: 8, cell: ({ name }) => name },
  { name: "Legs", width: 4, cell: ({ legs }) => legs },
];
const petRows: readonly Row[] = [
  ["Tweety", 2],
  ["Tom", 4],
];

async function* oneByOne(): AsyncGenerator<readonly Pet[]> {
  for (const pet of pets) yield [pet];
}

const context = {} as CommandContext; // None of these commands asks for anything.

const run = (command: ReturnType<typeof rowsCommand>, given: Record<string, string | true> = {}) =>
  command.bind(new Map(Object.entries(given)) satisfies RawParameters).command.run(context);

const rowsIn = async (result: CommandResult): Promise<readonly Row[]> => {
  if (result.kind !== "rows") throw new Error(`The answer is ${result.kind}, not rows.`);
  return (await Array.fromAsync(result.batches)).flat();
};

const simple = rowsCommand({ ...facts, parameters: {}, columns, rows: () => pets });

test("a command of rows has -Format after its own parameters, and can be shaped", () => {
  const command = rowsCommand({ ...facts, parameters: { Small: flag({ synopsis: "x" }) }, columns, rows: () => pets });
  expect([...command.parameters.keys()]).toEqual(["Small", "Format"]);
  expect(command.bind(new Map()).answersRows).toBe(true);
});

test("each cell is made by its column, and rows that are all there are counted", async () => {
  const result = await run(simple);
  expect(await rowsIn(result)).toEqual(petRows);
  expect(result.kind === "rows" && (await result.count?.())).toBe(2);
});

test("cells that are listed stand in the order of the columns", async () => {
  const command = rowsCommand({
    ...facts,
    parameters: {},
    columns: columnsOf({ Name: 8, Legs: 4 }),
    rows: () => petRows,
  });
  const result = await run(command);
  expect(result).toMatchObject({
    columns: [
      { name: "Name", width: 8 },
      { name: "Legs", width: 4 },
    ],
  });
  expect(await rowsIn(result)).toEqual(petRows);
});

test("rows in batches stay in their batches, and are not counted", async () => {
  const result = rowsResult(columns, { rows: oneByOne() });
  expect(await Array.fromAsync(result.batches)).toEqual(petRows.map((row) => [row]));
  expect(result.count).toBeUndefined();
});

describe("the format", () => {
  const usual = rowsCommand({ ...facts, parameters: {}, columns, rows: () => pets, usualFormat: "list" });

  test("is the session's where nothing says another", async () => {
    expect(await run(simple)).not.toHaveProperty("format");
  });

  test("is the command's usual one, unless -Format says another", async () => {
    expect(await run(usual)).toMatchObject({ format: "list" });
    expect(await run(usual, { Format: "csv" })).toMatchObject({ format: "csv" });
  });

  test("is the rows' own before the usual one, and -Format's before both", async () => {
    const own = rowsCommand({
      ...facts,
      parameters: {},
      columns,
      rows: () => ({ rows: pets, format: "json" as const }),
      usualFormat: "list",
    });
    expect(await run(own)).toMatchObject({ format: "json" });
    expect(await run(own, { Format: "csv" })).toMatchObject({ format: "csv" });
  });
});

describe("a switch with which the answer is a text", () => {
  const command = rowsCommand({
    ...facts,
    parameters: { raw: flag({ synopsis: "x" }) },
    textWith: "raw",
    columns,
    rows: ({ raw }) => (raw === true ? { kind: "text", text: "2" } : pets),
  });

  test("answers the text, which can't be shaped", async () => {
    expect(await run(command, { raw: true })).toEqual({ kind: "text", text: "2" });
    expect(command.bind(new Map([["raw", true]])).answersRows).toBe(false);
    expect(command.bind(new Map()).answersRows).toBe(true);
  });

  test("does not go with -Format", () => {
    const both = new Map<string, string | true>([
      ["raw", true],
      ["Format", "json"],
    ]);
    expect(() => command.bind(both)).toThrow("-raw answers no rows: leave -Format out.");
  });
});
