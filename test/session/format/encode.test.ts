import { parse } from "csv-parse/sync";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Column, OutputFormat } from "../../../server/command/define-command.ts";
import type { Answer } from "../../../server/session/delivery.ts";
import { encodeAnswer, type EncodeOptions } from "../../../server/session/format/encode.ts";
import type { DisclosedRow } from "../../../server/session/format/for-people.ts";

const columns: readonly Column[] = [
  { name: "ComputerName", width: 15 },
  { name: "Disclosed", width: 9 },
  { name: "Rows", width: 5 },
];

const answerOf = (format: OutputFormat | undefined, ...batches: (readonly DisclosedRow[])[]): Answer => ({
  kind: "rows",
  columns,
  format,
  hasMore: () => false,
  batches: (async function* () {
    yield* batches;
  })(),
});

const encoded = async (answer: Answer, options: Partial<EncodeOptions> = {}): Promise<string> =>
  (await Array.fromAsync(encodeAnswer(answer, { width: 80, terminal: false, ...options }))).join("");

const rows: readonly DisclosedRow[] = [
  ["PC-0001", true, 3],
  ["日本-2", false, null],
];

test("a table has a heading, a rule and aligned columns, wide characters counted as two", async () => {
  expect(await encoded(answerOf(undefined, rows))).toBe(
    [
      "ComputerName  Disclosed  Rows",
      "------------  ---------  ----",
      "PC-0001       True       3",
      "日本-2        False",
      "",
    ].join("\n"),
  );
});

test("a later, longer cell pushes its line out and loses nothing", async () => {
  const text = await encoded(answerOf("table", rows, [["A-MUCH-LONGER-NAME", true, 1]]));
  expect(text.split("\n").at(-2)).toBe("A-MUCH-LONGER-NAME  True       1");
});

test("a table wider than the terminal becomes a list", async () => {
  expect(await encoded(answerOf("table", [["PC-0001", true, 3]]), { width: 20 })).toBe(
    "ComputerName : PC-0001\nDisclosed    : True\nRows         : 3\n",
  );
});

test("an empty table still shows its heading", async () => {
  expect(await encoded(answerOf("table"))).toBe("ComputerName  Disclosed  Rows\n------------  ---------  ----\n");
});

test("json is one array over all batches, also when there are none", async () => {
  expect(JSON.parse(await encoded(answerOf("json", rows, rows)))).toEqual(
    [...rows, ...rows].map(([ComputerName, Disclosed, Rows]) => ({ ComputerName, Disclosed, Rows })),
  );
  expect(await encoded(answerOf("json"))).toBe("[]\n");
});

test("ndjson is one object a line, and nothing for nothing", async () => {
  const lines = (await encoded(answerOf("ndjson", rows))).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).ComputerName)).toEqual(["PC-0001", "日本-2"]);
  expect(await encoded(answerOf("ndjson"))).toBe("");
});

test("json and ndjson are row by row what JSON.stringify says, whatever the cells hold", async () => {
  // Pieces of the text between two rows, so that a cell can look like one.
  const pieces = [
    "}",
    "{",
    ",",
    '"',
    "\\",
    "\n",
    "ComputerName",
    ":",
    '},{"ComputerName":',
    '"},{"ComputerName":"',
    "$&",
  ];
  const cell = fc.oneof(
    fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constant(null),
  );
  const batch = fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { maxLength: 3 }), async (batches) => {
      const objects = batches
        .flat()
        .map(([ComputerName, Disclosed, Rows]) => JSON.stringify({ ComputerName, Disclosed, Rows }));
      expect(await encoded(answerOf("ndjson", ...batches))).toBe(objects.map((line) => `${line}\n`).join(""));
      const array = objects.length === 0 ? "[]\n" : `[\n  ${objects.join(",\n  ")}\n]\n`;
      expect(await encoded(answerOf("json", ...batches))).toBe(array);
    }),
  );
});

test("csv can be read back, whatever the cells hold", async () => {
  const odd: readonly DisclosedRow[] = [['a "quoted", name\nwith lines', false, 1]];
  const records = parse(await encoded(answerOf("csv", odd)));
  expect(records).toEqual([
    ["ComputerName", "Disclosed", "Rows"],
    ['a "quoted", name\nwith lines', "false", "1"],
  ]);
  expect(await encoded(answerOf("csv"))).toBe("ComputerName,Disclosed,Rows\n");
});

test("control characters of foreign text never reach a person's terminal", async () => {
  const hostile: readonly DisclosedRow[] = [["\u001b]0;owned\u0007\u009b31m\u202ePC", true, 1]];
  for (const format of ["table", "list"] as const) {
    const text = await encoded(answerOf(format, hostile));
    expect(text).toContain("␛]0;owned␇\\u{9b}31m\\u{202e}PC");
    expect(text).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
  }
  for (const format of ["csv", "json", "ndjson"] as const) {
    expect(await encoded(answerOf(format, hostile), { terminal: true })).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
  }
});

test("a script gets foreign text unchanged in csv", async () => {
  expect(await encoded(answerOf("csv", [["a\u001bb", true, 1]]))).toContain("a\u001bb");
});
