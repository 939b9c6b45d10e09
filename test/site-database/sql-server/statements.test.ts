import { expect, test } from "vitest";
import { everyStatement, listSql } from "../../../server/site-database/sql-server/list-sql.ts";

test("every statement says its name in front, so that a trace shows whose it is", () => {
  for (const { name, kind, text } of everyStatement()) {
    expect(name).toMatch(/^[a-z][a-z-]+$/);
    if (kind !== "procedure") expect(text.startsWith(`/* pep:${name} */ `)).toBe(true);
  }
});

test("every value goes as a parameter that the text uses, and the text uses no other", () => {
  for (const { name, kind, text, parameters } of everyStatement()) {
    if (kind !== "query") continue;
    const used = new Set([...text.matchAll(/@([A-Za-z]\w*)/g)].map((match) => match[1]));
    expect({ name, used }).toEqual({ name, used: new Set(Object.keys(parameters)) });
  }
});

test("a batch has no parameters: it would not get them", () => {
  const batches = everyStatement().filter(({ kind }) => kind === "batch");
  expect(batches.flatMap(({ parameters }) => Object.keys(parameters))).toEqual([]);
});

test("the listing has one statement a line, each with a name", () => {
  const lines = listSql().trimEnd().split("\n");
  expect(lines.length).toBeGreaterThan(40);
  for (const line of lines) expect(line).toMatch(/^[a-z-]+\t\S.*$/);
  expect(new Set(lines).size).toBe(lines.length);
});

test("nothing is read by OFFSET, dropped, or granted beyond Microsoft's script", () => {
  const all = listSql();
  expect(all).not.toMatch(/\bOFFSET\b|\bDROP\b|\bTRUNCATE\b|\bDELETE FROM\b|\bUPDATE dbo\b|\bxp_/i);
  expect([...all.matchAll(/GRANT \w+ ON [^ ]+ ::\w+ TO \w+/g)].map(([grant]) => grant)).toEqual(
    expect.arrayContaining(["GRANT CONTROL ON CERTIFICATE ::BitLockerManagement_CERT TO RecoveryAndHardwareRead"]),
  );
  expect(all.match(/GRANT/g)).toHaveLength(2 * 4 + 2);
});
