import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { Refusal } from "../../server/errors.ts";

const root = join(import.meta.dirname, "../..");
const roles = loadRolesFile(join(root, "jea-roles.json"), commands);

interface Verdict {
  readonly user: string;
  readonly status: number;
  readonly why: string;
  readonly line: string;
}

const expected: readonly Verdict[] = readFileSync(join(root, "test/golden/rights-table.txt"), "utf8")
  .split("\n")
  .filter((row) => row !== "" && !row.startsWith("#"))
  .map((row) => {
    const [, user = "", status = "", why = "", line = ""] = /^(\S+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(row) ?? [];
    return { user, status: Number(status), why, line };
  });

const verdictOn = (user: string, line: string): Verdict => {
  try {
    const { roleCapability } = roles.commandsFor(user).bindLine(line);
    return { user, status: 0, why: roleCapability, line };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { user, status: error.exitStatus, why: error.reason, line };
  }
};

test.each(expected)("$user: $line → $status $why", (verdict) => {
  expect(verdictOn(verdict.user, verdict.line)).toEqual(verdict);
});

describe("the table is complete", () => {
  const lines = expected.map(({ line }) => line.toLowerCase());

  test("it has every demo user", () => {
    const users = new Set(expected.map(({ user }) => user));
    for (const user of ["support", "exporter", "certadmin", "approver", "auditor", "guest"])
      expect(users).toContain(user);
  });

  test("it has every command by every name, and every parameter", () => {
    for (const { name, aliases, parameters } of commands) {
      for (const one of [name, ...aliases]) {
        expect(
          lines.some((line) => line.split(/[\s|]+/).includes(one.toLowerCase())),
          one,
        ).toBe(true);
      }
      for (const parameter of parameters.keys()) {
        expect(
          lines.some((line) => line.includes(`-${parameter.toLowerCase()}`)),
          parameter,
        ).toBe(true);
      }
    }
  });
});
