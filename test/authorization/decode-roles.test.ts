import { describe, expect, test } from "vitest";
import { decode, problemsIn, withEntries } from "./roles-text.ts";

const keys = (more: object): string => withEntries({ name: "Get-RecoveryKeys", ...more });
const entry = "roleCapabilities.role.visibleCommands[0]";

describe("a mistake is an error, not silence", () => {
  const mistakes: readonly (readonly [string, string, readonly (string | RegExp)[]])[] = [
    ["a misspelt command", withEntries("Get-RecoveryKey"), [`1 ${entry}: there is no command Get-RecoveryKey.`]],
    [
      "an alias",
      withEntries({ name: "Get-AzsRecoveryKeys" }),
      [
        `1 ${entry}.name: Get-AzsRecoveryKeys is another name of Get-RecoveryKeys; write Get-RecoveryKeys, which grants both.`,
      ],
    ],
    ["a wildcard", withEntries("Get-*"), [`1 ${entry}: must be a name, without wildcards.`]],
    [
      "a misspelt parameter",
      keys({ parameters: ["ComputrName"] }),
      [/^1 .*\.parameters\[0\]: Get-RecoveryKeys has no parameter ComputrName\. It has: ComputerName, RecoveryKeyId, /],
    ],
    [
      "a cut parameter",
      keys({ parameters: [{ name: "Computer" }] }),
      [/parameters\[0\]\.name: .* has no parameter Computer\./],
    ],
    [
      "a parameter listed twice",
      keys({ parameters: ["raw", { name: "RAW" }] }),
      [/parameters\[1\]\.name: raw is listed twice/],
    ],
    [
      "a misspelt key",
      keys({ maxrows: 3 }),
      [`1 ${entry}.maxrows: "maxrows" is not known here. Names are written exactly as in the documentation.`],
    ],
    [
      "a misspelt key of a parameter",
      keys({ parameters: [{ name: "Since", ValidateSet: ["7d"] }] }),
      [/parameters\[0\]\.ValidateSet: "ValidateSet" is not known/],
    ],
    [
      "approval of approving",
      withEntries({ name: "Approve-Elevation", requireApproval: true }),
      [/requireApproval: Approve-Elevation is how approval works/],
    ],
    [
      "a list of reasons where there is none",
      withEntries({ name: "Request-Elevation", requireReason: "listed" }),
      [/requireReason: Request-Elevation has no list of reasons/],
    ],
    ["no rows", keys({ maxRows: 0 }), [`1 ${entry}.maxRows: must be at least 1.`]],
    ["no keys an hour", keys({ disclosuresPerHour: 0 }), [`1 ${entry}.disclosuresPerHour: must be at least 1.`]],
    ["too many rows", keys({ maxRows: 10_001 }), [`1 ${entry}.maxRows: must be at most 10000.`]],
    ["half a row", keys({ maxRows: 1.5 }), [`1 ${entry}.maxRows: must be a whole number.`]],
    ["rows in words", keys({ maxRows: "ten" }), [`1 ${entry}.maxRows: must be a number.`]],
    [
      "an entry that is neither name nor object",
      withEntries(5),
      [`1 ${entry}: must be a name, or an object with a name and its limits.`],
    ],
    ["an entry without a name", withEntries({ maxRows: 5 }), [`1 ${entry}.name: is missing.`]],
    ["a set on a switch", keys({ parameters: [{ name: "Latest", validateSet: ["x"] }] }), [/is a switch/]],
    [
      "a value outside the closed set",
      keys({ parameters: [{ name: "VolumeType", validateSet: ["Removable", "Floppy"] }] }),
      [/validateSet\[1\]: is no value of this parameter: it must be one of: OperatingSystem/],
    ],
    [
      "a key id that is none",
      keys({ parameters: [{ name: "RecoveryKeyId", validateSet: ["24B0"] }] }),
      [/validateSet\[0\]: is no value/],
    ],
    [
      "an empty set",
      keys({ parameters: [{ name: "Since", validateSet: [] }] }),
      [/validateSet: must be at least 1 long/],
    ],
    [
      "a broken pattern",
      keys({ parameters: [{ name: "ComputerName", validatePattern: "PC-(" }] }),
      [/validatePattern: is no regular expression of RE2/],
    ],
    [
      "look-ahead",
      keys({ parameters: [{ name: "ComputerName", validatePattern: "(?=PC)PC" }] }),
      [/validatePattern: is no regular expression of RE2/],
    ],
    [
      "a back reference",
      keys({ parameters: [{ name: "ComputerName", validatePattern: String.raw`(a)\1` }] }),
      [/validatePattern: is no regular expression of RE2/],
    ],
    [
      "set and pattern that exclude each other",
      keys({ parameters: [{ name: "Since", validateSet: ["7d"], validatePattern: "1d" }] }),
      [/validatePattern: matches none of the values/],
    ],
    [
      "a pattern that no word of the closed set matches",
      keys({ parameters: [{ name: "Format", validatePattern: "xml" }] }),
      [/validatePattern: matches none of the values/],
    ],
    ["one of nothing", keys({ requireOneOf: [] }), [/requireOneOf: must be at least 1 long/]],
    [
      "one of what does not exist",
      keys({ requireOneOf: ["Name"] }),
      [/requireOneOf\[0\]: Get-RecoveryKeys has no parameter Name/],
    ],
    [
      "one of what is not granted",
      keys({ requireOneOf: ["raw"] }),
      [/requireOneOf\[0\]: raw is not among the parameters/],
    ],
    [
      "a reason that can't be given",
      keys({ parameters: ["ComputerName"], requireReason: true }),
      [/requireReason: .* could never be run/],
    ],
    [
      "a reason for a command without one",
      withEntries({ name: "verify-cert", requireReason: true }),
      [/requireReason/],
    ],
    [
      "a needed parameter left out",
      withEntries({ name: "backup-cert", parameters: ["Form"] }),
      [/parameters: backup-cert can't be run without Name: list it too/],
    ],
    [
      "limits on a default command",
      withEntries({ name: "Get-Help", parameters: ["Name"] }),
      [/Get-Help belongs to everyone who may connect/],
    ],
    ["no role capabilities", "{}", ["1 roleCapabilities: is missing.", "1 roleDefinitions: is missing."]],
    ["a list", "[]", ["1 : must be an object."]],
    [
      "an undefined role",
      '{"roleCapabilities":{},"roleDefinitions":{"user:a":{"roleCapabilities":["x"]}}}',
      ["1 roleDefinitions.user:a.roleCapabilities[0]: there is no role capability x."],
    ],
    [
      "an undefined group",
      '{"roleCapabilities":{"x":{"visibleCommands":[]}},"roleDefinitions":{"group:g":{"roleCapabilities":["x"]}}}',
      ["1 roleDefinitions.group:g: there is no group g."],
    ],
    [
      "a subject of no kind",
      '{"roleCapabilities":{},"roleDefinitions":{"alice":{"roleCapabilities":["x"]}}}',
      [/"alice" must be "user:NAME" or "group:NAME"/],
    ],
    [
      "an impossible user",
      '{"roleCapabilities":{"x":{"visibleCommands":[]}},"roleDefinitions":{"user:a b":{"roleCapabilities":["x"]}}}',
      [/names no possible user/],
    ],
    [
      "an impossible member",
      '{"roleCapabilities":{},"roleDefinitions":{},"groups":{"g":["a","../b"]}}',
      [/^1 groups\.g\[1\]: must be a user's name/],
    ],
    [
      "groups that differ in case",
      '{"roleCapabilities":{},"roleDefinitions":{},"groups":{"g":[],"G":[]}}',
      [/upper and lower case only/],
    ],
    [
      "users that differ in case",
      '{"roleCapabilities":{"x":{"visibleCommands":[]}},"roleDefinitions":{"user:a":{"roleCapabilities":["x"]},"user:A":{"roleCapabilities":["x"]}}}',
      [/upper and lower case only/],
    ],
    [
      "a required group that is not defined",
      '{"roleCapabilities":{},"roleDefinitions":{},"groups":{"g":[]},"requiredGroups":{"And":["g",{"Or":["h"]}]}}',
      ["1 requiredGroups.And[1].Or[0]: there is no group h."],
    ],
    [
      "a condition of two words",
      '{"roleCapabilities":{},"roleDefinitions":{},"groups":{"g":[]},"requiredGroups":{"And":["g"],"Or":["g"]}}',
      [/requiredGroups/],
    ],
    ["a condition of no word", '{"roleCapabilities":{},"roleDefinitions":{},"requiredGroups":{}}', [/requiredGroups/]],
    [
      "an endless session",
      '{"roleCapabilities":{},"roleDefinitions":{},"session":{"idleTimeoutMinutes":0}}',
      ["1 session.idleTimeoutMinutes: must be at least 1."],
    ],
    [
      "a notice with an escape",
      JSON.stringify({ roleCapabilities: {}, roleDefinitions: {}, session: { legalNotice: "a\u001b[2J" } }),
      [/legalNotice: must not hold control characters/],
    ],
    [
      "a key that stands twice",
      '{"roleCapabilities":{},\n"roleDefinitions":{},\n"roleCapabilities":{}}',
      [/stands twice in the same object/],
    ],
  ];
  test.each(mistakes)("%s", (_what, text, problems) => {
    const found = problemsIn(text);
    expect(found).toHaveLength(problems.length);
    problems.forEach((problem, index) => {
      if (typeof problem === "string") expect(found[index]).toBe(problem);
      else expect(found[index]).toMatch(problem);
    });
  });

  test("every error is told at once, each with its line", () => {
    const text = `{
  "roleCapabilities": {
    "one": {
      "visibleCommands": [
        "verify-cert",
        { "name": "Get-RecoveryKeys",
          "parameters": [
            "ComputerName",
            { "name": "Nothing" }
          ],
          "requireOneOf": ["raw"] },
        "No-Such"
      ]
    }
  },
  "roleDefinitions": {
    "group:nobody": { "roleCapabilities": ["one"] }
  }
}`;
    expect(problemsIn(text).map((problem) => problem.split(":")[0])).toEqual([
      "17 roleDefinitions.group",
      "9 roleCapabilities.one.visibleCommands[1].parameters[1].name",
      "11 roleCapabilities.one.visibleCommands[1].requireOneOf[0]",
      "12 roleCapabilities.one.visibleCommands[2]",
    ]);
  });

  test.each([
    ['{\n  "a": 1,\n  x\n}', 3],
    ['{\n"a": [1,\n2', 3],
    ["", 1],
  ])("%j is not JSON, at its line", (text, line) => {
    expect(problemsIn(text)).toEqual([expect.stringMatching(new RegExp(`^${line} : is not JSON: `))]);
  });
});

describe("what is right is taken", () => {
  test("names in any case, canonical values, $schema, bare default commands", () => {
    const roles = decode(
      JSON.stringify({
        $schema: "anything",
        roleCapabilities: {
          r: {
            visibleCommands: [
              "Get-Help",
              {
                name: "get-recoverykeys",
                parameters: [{ name: "RECOVERYKEYID", validateSet: ["{24b0aa32-f8d0-40ba-bb05-73a800324c09}"] }],
              },
            ],
          },
        },
        roleDefinitions: { "user:Alice": { roleCapabilities: ["r"] } },
      }),
    );
    const { bindLine } = roles.commandsFor("ALICE");
    expect(bindLine("Get-RecoveryKeys -Rec 24B0AA32F8D040BABB0573A800324C09").roleCapability).toBe("r");
    expect(() => bindLine("Get-RecoveryKeys -Rec 24B0AA32")).toThrow(
      "-RecoveryKeyId must be one of: 24B0AA32-F8D0-40BA-BB05-73A800324C09.",
    );
  });

  test("session limits have defaults", () => {
    const minutes = (session: object): readonly number[] => {
      const read = decode(JSON.stringify({ roleCapabilities: {}, roleDefinitions: {}, session })).session;
      return [read.idleLockMs / 60_000, read.idleTimeoutMs / 60_000, read.longestSessionMs / 60_000];
    };
    expect(minutes({})).toEqual([10, 15, 480]);
    expect(minutes({ idleTimeoutMinutes: 6, longestSessionMinutes: 60 })).toEqual([4, 6, 60]);
    expect(minutes({ idleLockMinutes: 2, idleTimeoutMinutes: 6 })).toEqual([2, 6, 480]);
    const { session } = decode(JSON.stringify({ roleCapabilities: {}, roleDefinitions: {} }));
    expect(session).toMatchObject({ sessionsPerUser: 20, commandsPerUser: 4, requireAcceptance: false });
  });

  test("a lock after the end, and a notice to accept that isn't there, are mistakes", () => {
    const reading = (session: object) => () =>
      decode(JSON.stringify({ roleCapabilities: {}, roleDefinitions: {}, session }));
    expect(reading({ idleLockMinutes: 15 })).toThrow(
      "session.idleLockMinutes: must be less than idleTimeoutMinutes (15), when the session ends.",
    );
    expect(reading({ requireAcceptance: true })).toThrow(
      "session.requireAcceptance: needs a legalNotice that could be accepted.",
    );
  });
});
