import { describe, expect, test } from "vitest";
import { withoutUsers, withRole } from "../../server/authorization/edit-roles.ts";
import { decode } from "./roles-text.ts";

const file = (definitions: string, more = ""): string =>
  `{\n\t"roleCapabilities": { "a": { "visibleCommands": [] }, "b": { "visibleCommands": [] } },\n  "roleDefinitions": ${definitions}${more}\n}\n`;

const given = (text: string, user = "alice", role = "b"): string => withRole(text, decode(text).file, user, role);
const rolesOf = (text: string, user = "alice"): readonly string[] =>
  decode(text)
    .heldRoles(user)
    .map(({ roleCapability }) => roleCapability);

describe("a role more for a user leaves the rest of the text as it is", () => {
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    "nobody there": ["{}", '{\n    "user:alice": { "roleCapabilities": ["b"] }\n  }'],
    "nobody there, over two lines": ["{\n  }", '{\n    "user:alice": { "roleCapabilities": ["b"] }\n  }'],
    "somebody else there": [
      '{\n\t"user:bob": {"roleCapabilities":["a"] }\n  }',
      '{\n\t"user:bob": {"roleCapabilities":["a"] },\n    "user:alice": { "roleCapabilities": ["b"] }\n  }',
    ],
    "on one line, without blanks": [
      '{"user:bob":{"roleCapabilities":["a"]}}',
      '{"user:bob":{"roleCapabilities":["a"]},\n    "user:alice": { "roleCapabilities": ["b"] }}',
    ],
    "a role already, the user's name in other letters": [
      '{ "user:Alice": { "from": ["192.0.2.0/24"], "roleCapabilities": [\n "a" \n] }, "user:bob": { "roleCapabilities": ["a"] } }',
      '{ "user:Alice": { "from": ["192.0.2.0/24"], "roleCapabilities": [\n "a", "b" \n] }, "user:bob": { "roleCapabilities": ["a"] } }',
    ],
    "the same role": [
      '{ "user:alice": { "roleCapabilities": ["b"] } }',
      '{ "user:alice": { "roleCapabilities": ["b"] } }',
    ],
  };
  test.each(Object.entries(cases))("%s", (_what, [before, after]) => {
    const more = ',\r\n  "groups": { "user": ["carol"] }';
    expect(given(file(before, more))).toBe(file(after, more));
    expect(rolesOf(given(file(before)))).toContain("b");
    expect(rolesOf(given(file(before)), "bob")).toEqual(rolesOf(file(before), "bob"));
  });

  test("whatever stands in the descriptions", () => {
    const text = file("{}").replace('"a": {', String.raw`"a": { "description": "} \"roleDefinitions\": {",`);
    expect(rolesOf(given(text))).toEqual(["b"]);
  });
});

test("without users nobody is named, and the rest stays", () => {
  const text = file('{ "group:g": { "roleCapabilities": ["a"] } }', ',\n  "groups": { "g": ["alice"] }');
  expect(withoutUsers(text)).toBe(file("{}", ',\n  "groups": {}'));
  expect(withoutUsers(file("{}"))).toBe(file("{}"));
});
