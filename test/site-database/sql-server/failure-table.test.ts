import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { EndpointError } from "../../../server/errors.ts";
import { createMasterKey } from "../../../server/site-database/sql-server/certificate-statements.ts";
import {
  connectFailure,
  ConnectionLost,
  describe as describeError,
  numbersIn,
  requestFailure,
} from "../../../server/site-database/sql-server/errors.ts";
import { failureTable } from "../../../server/site-database/sql-server/failure-table.ts";
import { checkHealth } from "../../../server/site-database/sql-server/statements.ts";

/** As tedious makes them: an Error with properties. */
const serverError = (number: number, message = "driver text"): Error =>
  Object.assign(new Error(message), { code: "EREQUEST", number, state: 1, class: 16, procName: "p", lineNumber: 3 });

const causeOf = (error: EndpointError): string => (error.cause instanceof Error ? error.cause.message : "");

/** What the table must say, written down a second time: a slip in one of them shows. */
const expected: Readonly<Record<string, readonly number[]>> = {
  ResourceUnavailable: [
    18456, 18452, 18470, 18486, 18487, 18488, 4060, 4064, 40613, 40197, 40501, 49918, 10928, 10929, 976, 978, 979, 983,
    924, 927, 942, 945, 596, 6005, 17142, 17187, 9001, 823, 824, 1205, 1222, 701, 8645, 1105, 9002, 3960, 229, 230, 262,
    297, 300, 916, 4834, 15247, 15345, 15353, 207, 208, 2812, 4121, 201, 8144, 8145, 313, 8146, 206, 15151, 3906, 15635,
    15146, 15334, 15313, 15240, 15246, 15581, 15329, 15448, 15451, 15455,
  ],
  InvalidArgument: [15116, 15117, 15118, 15119, 15465, 15556, 15466, 15297, 15464, 15474, 15507, 15212],
  InvalidResult: [15147, 102, 105, 156, 245, 8114, 241, 242, 8152, 2628, 266],
  ResourceExists: [15232, 15578, 15352, 15580],
  ObjectNotFound: [15208, 15317, 4860, 4861],
};
const rows = Object.entries(expected).flatMap(([category, numbers]) =>
  numbers.map((number) => ({ number, category, about: failureTable.get(number)?.about })),
);

test("the table has every number that is expected, and no other", () => {
  expect([...failureTable.keys()].sort((a, b) => a - b)).toEqual(rows.map((row) => row.number).sort((a, b) => a - b));
});

test.each(rows)("error $number ($about) becomes $category", ({ number, category }) => {
  const failure = requestFailure(serverError(number), checkHealth(), false);
  expect(failure.category).toBe(category);
  expect(failure.message).not.toContain("driver text");
  expect(failure.message).toMatch(/^[A-Z].*\.$/);
  expect(causeOf(failure)).toContain(`SQL Server error ${number}`);
});

describe("an error of the driver", () => {
  test("that holds several is read through", () => {
    const both = new AggregateError([serverError(229), serverError(8180)]);
    expect(numbersIn(both)).toEqual([229, 8180]);
    expect(requestFailure(both, checkHealth(), false)).toMatchObject({ category: "ResourceUnavailable" });
    expect(causeOf(requestFailure(both, checkHealth(), false))).toMatch(/229.*8180/);
  });

  test("with a number nobody knows is ours to look at, and keeps its number for the log", () => {
    const failure = requestFailure(serverError(50_000), checkHealth(), false);
    expect(failure.category).toBe("InvalidResult");
    expect(causeOf(failure)).toContain("50000");
  });

  test("on a lost connection is a loss, even with a number", () => {
    expect(requestFailure(serverError(596), checkHealth(), true)).toBeInstanceOf(ConnectionLost);
    expect(requestFailure(new Error("unexpected end of data"), checkHealth(), true)).toBeInstanceOf(ConnectionLost);
    expect(requestFailure(serverError(15118), checkHealth(), true)).not.toBeInstanceOf(ConnectionLost);
  });

  test("while connecting is described with everything inside it", () => {
    const inner = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    const outer = Object.assign(new Error("Failed to connect", { cause: new AggregateError([inner]) }), {
      code: "ESOCKET",
    });
    const failure = connectFailure(outer);
    expect(failure.message).toBe("The site database is not available.");
    expect(causeOf(failure)).toMatch(/ESOCKET.*ECONNREFUSED/);
  });

  test("says nothing of a statement that holds a password, and shows no recovery key of any", () => {
    const password = "Sehr-geheim-17!";
    const quoting = serverError(102, `Incorrect syntax near '${password}'.`);
    const statement = createMasterKey(password);
    for (const failure of [
      requestFailure(quoting, statement, false),
      requestFailure(quoting, statement, true),
      requestFailure(new AggregateError([quoting], password), statement, false),
      requestFailure(new Error(password, { cause: new Error(password) }), statement, true),
    ]) {
      expect(inspect(failure, { depth: 10 })).not.toContain(password);
      expect(causeOf(failure)).toContain("create-master-key");
    }
    const key = "245, conversion of '111111-222222-333333-444444-555555-666666-777777-888888' failed\u001b[31m\n";
    const described = describeError(serverError(245, key), false);
    expect(described).not.toMatch(/\d{6}/);
    expect(described).not.toMatch(/[\u0000-\u001f]/);
  });
});
