import { describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { findWarnings } from "../../server/authorization/find-warnings.ts";
import { decode, withEntries } from "./roles-text.ts";

const warningsOf = (text: string, knownUsers?: readonly string[]): readonly string[] =>
  findWarnings(
    decode(text),
    knownUsers && { users: knownUsers, enrolled: [], trustsAuthorities: false, proofsOf: () => [] },
  ).map(({ line, path, message }) => `${line} ${path}: ${message}`);

const keys = (more: object) => ({ name: "Get-RecoveryKeys", ...more });
/** Every other command that somebody should have. */
const others = commands
  .filter(({ name, forEveryone, forElevation }) => !forEveryone && !forElevation && name !== "Get-RecoveryKeys")
  .map(({ name }) => name);
const everything = [keys({}), ...others];
const later = `roleCapabilities.role.visibleCommands[${everything.length}]`;
const shadowed = `1 ${later}: never counts: the earlier roleCapabilities.role.visibleCommands[0] accepts everything that it accepts.`;

test("a file without doubts has no warnings", () => {
  expect(warningsOf(withEntries(...everything), ["alice"])).toEqual([]);
});

describe("patterns that accept everything", () => {
  test.each([".*", ".+", "[^x]*|.*", "(?s:.*)", String.raw`[\s\S]+`, "^.*$"])("%s", (validatePattern) => {
    const entry = keys({
      parameters: [{ name: "ComputerName", validatePattern }],
      requireOneOf: ["ComputerName"],
    });
    expect(warningsOf(withEntries(entry, ...others))).toEqual([
      "1 roleCapabilities.role.visibleCommands[0]: the pattern of ComputerName accepts everything; leave it out, or write what is meant.",
    ]);
  });
  test.each(["PC-.*", String.raw`\w+`, "[a-z0-9-]+", ".{1,15}"])("%s does not", (validatePattern) => {
    const entry = keys({
      parameters: [{ name: "ComputerName", validatePattern }],
      requireOneOf: ["ComputerName"],
    });
    expect(warningsOf(withEntries(entry, ...others))).toEqual([]);
  });
});

test("an hour's limit below the limit of rows is told", () => {
  expect(warningsOf(withEntries(keys({ maxRows: 10, disclosuresPerHour: 5 }), ...others))).toEqual([
    "1 roleCapabilities.role.visibleCommands[0]: an answer of more than 5 keys is never shown, although maxRows is 10: disclosuresPerHour counts it too.",
  ]);
  expect(warningsOf(withEntries(keys({ maxRows: 10, disclosuresPerHour: 10 }), ...others))).toEqual([]);
});

const apartFromLeftOut = (text: string): readonly string[] =>
  warningsOf(text).filter((warning) => !warning.includes("is limited and may be left out"));

describe("a limited parameter that may be left out", () => {
  const limited = { name: "ComputerName", validatePattern: "PC-.*" };
  const where = "1 roleCapabilities.role.visibleCommands[0]: ";
  const cases: readonly (readonly [string, object, readonly string[]])[] = [
    [
      "altogether",
      { parameters: [limited, "RecoveryKeyId"] },
      ["ComputerName is limited and may be left out: a line without it shows every key within the rule."],
    ],
    [
      "for an unlimited one beside it",
      { parameters: [limited, "RecoveryKeyId"], requireOneOf: ["ComputerName", "RecoveryKeyId"] },
      [
        "ComputerName is limited, and RecoveryKeyId beside it is not: a line without it shows every key within the rule.",
      ],
    ],
    [
      "whose rule bounds no keys",
      {
        parameters: ["ComputerName", { name: "RecoveryKeyId", validatePattern: "24B0.*" }],
        requireOneOf: ["ComputerName", "RecoveryKeyId"],
      },
      [
        "RecoveryKeyId is limited, and ComputerName beside it is not: its rule bounds the values that are typed, not what is shown.",
      ],
    ],
    ["never, as it is required", { parameters: [limited, "RecoveryKeyId"], requireOneOf: ["ComputerName"] }, []],
    [
      "never, as a reason is required",
      { parameters: [{ name: "Reason", validatePattern: "T-[0-9]+" }], requireReason: true },
      [],
    ],
  ];
  test.each(cases)("%s", (_what, entry, expected) => {
    expect(warningsOf(withEntries(keys(entry), ...others))).toEqual(expected.map((text) => `${where}${text}`));
  });
});

describe("entries that never count", () => {
  const one = (rule: object, more: object = {}) => keys({ parameters: [{ name: "ComputerName", ...rule }], ...more });
  const covered: readonly (readonly [string, object, object])[] = [
    ["the same again", keys({}), keys({})],
    ["a larger row limit", keys({ maxRows: 5 }), keys({ maxRows: 50 })],
    ["fewer parameters", keys({}), one({})],
    ["a narrower set", one({ validateSet: ["a", "b"] }), one({ validateSet: ["B"] })],
    ["a set within a pattern", one({ validatePattern: "a.*" }), one({ validateSet: ["ab", "AC"] })],
    ["the same pattern", one({ validatePattern: "a.*" }), one({ validatePattern: "a.*" })],
    ["a rule where there was none", keys({}), one({}, { requireOneOf: ["ComputerName"] })],
    ["a reason more", keys({}), keys({ requireReason: true })],
    ["fewer to choose from", keys({ requireOneOf: ["ComputerName", "Since"] }), keys({ requireOneOf: ["Since"] })],
    ["no search", keys({ search: {} }), keys({})],
    [
      "longer pieces to search by",
      keys({ search: { minimumNameCharacters: 2, minimumIdCharacters: 4 } }),
      keys({ search: { minimumNameCharacters: 5, minimumIdCharacters: 4 } }),
    ],
  ];
  test.each(covered)("%s", (_what, earlier, entry) => {
    expect(apartFromLeftOut(withEntries(earlier, ...others, entry))).toEqual([shadowed]);
  });

  const needed: readonly (readonly [string, object, object])[] = [
    ["a parameter more", one({}), keys({ parameters: ["ComputerName", "Since"] })],
    ["a wider set", one({ validateSet: ["a"] }), one({ validateSet: ["a", "b"] })],
    ["any value", one({ validateSet: ["a"] }), one({})],
    ["another pattern", one({ validatePattern: "a.*" }), one({ validatePattern: "ab.*" })],
    ["no reason", keys({ requireReason: true }), keys({})],
    ["a search", keys({}), keys({ search: {} })],
    [
      "a shorter piece of a name",
      keys({ search: { minimumNameCharacters: 5 } }),
      keys({ search: { minimumNameCharacters: 2 } }),
    ],
    [
      "a shorter piece of a key id",
      keys({ search: { minimumIdCharacters: 8 } }),
      keys({ search: { minimumIdCharacters: 4 } }),
    ],
    ["nothing to choose from", keys({ requireOneOf: ["ComputerName"] }), keys({})],
    [
      "more to choose from",
      keys({ requireOneOf: ["ComputerName"] }),
      keys({ requireOneOf: ["ComputerName", "Since"] }),
    ],
  ];
  test.each(needed)("%s counts", (_what, earlier, entry) => {
    expect(apartFromLeftOut(withEntries(earlier, ...others, entry))).toEqual([]);
  });

  test("between roles, for the people who have both", () => {
    const file = {
      roleCapabilities: { a: { visibleCommands: everything }, b: { visibleCommands: [keys({ maxRows: 100 })] } },
      roleDefinitions: { "user:alice": { roleCapabilities: ["a", "b"] }, "user:bob": { roleCapabilities: ["b"] } },
    };
    expect(warningsOf(JSON.stringify(file))).toEqual([
      "1 roleCapabilities.b.visibleCommands[0]: never counts for alice: the earlier roleCapabilities.a.visibleCommands[0] accepts everything that it accepts.",
    ]);
  });
});

test("restricted parameters without any rule, and not with one", () => {
  const bare = keys({ parameters: ["raw", "NoRotation", "ComputerName"] });
  expect(warningsOf(withEntries(bare, ...others))).toEqual([
    "1 roleCapabilities.role.visibleCommands[0]: grants the restricted raw, NoRotation without any rule: every key of the site may be taken at once.",
  ]);
  for (const rule of [{ maxRows: 10 }, { requireOneOf: ["ComputerName"] }]) {
    expect(warningsOf(withEntries({ ...bare, ...rule }, ...others))).toEqual([]);
  }
});

test("what nobody has: roles, members, commands, keys", () => {
  const text = `{
  "roleCapabilities": {
    "held": { "visibleCommands": ["verify-cert"] },
    "unheld": { "visibleCommands": ["backup-cert"] }
  },
  "roleDefinitions": {
    "user:alice": { "roleCapabilities": ["held"] },
    "group:empty": { "roleCapabilities": ["unheld"] }
  },
  "groups": {
    "empty": [],
    "door": ["bob"]
  },
  "requiredGroups": "door"
}`;
  expect(warningsOf(text, ["alice"])).toEqual([
    "2 roleCapabilities: nobody can run Get-RecoveryKeys.",
    ...others.filter((name) => name !== "verify-cert").map((name) => `2 roleCapabilities: nobody can run ${name}.`),
    "4 roleCapabilities.unheld: nobody has this role.",
    "11 groups.empty: has no members.",
    "12 groups.door[0]: bob is not known: no authorized key of that name.",
    "14 requiredGroups: alice has roles but may not connect.",
  ]);
});
