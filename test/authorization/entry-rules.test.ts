import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rulesInWords } from "../../server/authorization/describe.ts";
import { entryRules, ruleNames } from "../../server/authorization/entry-rules.ts";
import { Refusal } from "../../server/errors.ts";
import { decode, withEntries } from "./roles-text.ts";

const root = join(import.meta.dirname, "../..");

interface Row {
  readonly rule: string;
  readonly expected: string;
  readonly text: string;
}

const rows: readonly Row[] = readFileSync(join(root, "test/golden/rules-table.txt"), "utf8")
  .split("\n")
  .filter((row) => row !== "" && !row.startsWith("#"))
  .map((row) => {
    const [, rule = "", expected = "", text = ""] = /^(\S+) +(says|\d+ \S+) +(.*)$/.exec(row) ?? [];
    return { rule, expected, text };
  });

const rolesWith = (rule: string) => decode(withEntries({ name: "Get-RecoveryKeys", ...(JSON.parse(rule) as object) }));

const verdictOn = (rule: string, line: string): string => {
  try {
    return `0 ${rolesWith(rule).commandsFor("alice").bindLine(line).roleCapability}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `${error.exitStatus} ${error.reason}`;
  }
};

test.each(rows.filter(({ expected }) => expected !== "says"))(
  "$rule: $text → $expected",
  ({ rule, text, expected }) => {
    expect(verdictOn(rule, text)).toBe(expected);
  },
);

test.each(rows.filter(({ expected }) => expected === "says"))("$rule says: $text", ({ rule, text }) => {
  expect(rolesWith(rule).entries.map((entry) => rulesInWords(entry, true))).toEqual([[text]]);
});

test.each(ruleNames)(
  "%s alone has its sentence, a line that passes, and one that it refuses where it judges lines",
  (name) => {
    const own = rows.filter(({ rule }) => Object.keys(JSON.parse(rule) as object).join() === name);
    const found = own.map(({ expected }) => expected);
    expect(found).toContain("says");
    expect(found).toContain("0 role");
    if (entryRules[name].judge !== undefined) expect(found).toContainEqual(expect.stringMatching(/^[1-9]/));
  },
);

test("docs/reference/roles.md has every rule, and no key that is none", () => {
  const page = readFileSync(join(root, "docs/reference/roles.md"), "utf8");
  const section = /^## `visibleCommands\[\]`\n([^#]+)/m.exec(page)?.[1] ?? "";
  const keys = [...section.matchAll(/^\| `(\w+)` /gm)].map(([, key]) => key);
  expect(keys).toEqual(["name", "parameters", ...ruleNames]);
});
