import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { findJsonPositions } from "../../server/authorization/json-positions.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { withEntries } from "./roles-text.ts";

describe("a roles file", () => {
  const newFile = (): string => {
    const path = join(temporaryDirectory(), "jea-roles.json");
    writeFileSync(path, withEntries("verify-cert"), { mode: 0o600 });
    return path;
  };

  test.each([0o600, 0o644, 0o444])("with mode %o is read", (mode) => {
    const path = newFile();
    chmodSync(path, mode);
    expect(loadRolesFile(path, commands).heldRoles("alice")).toHaveLength(1);
  });

  test.each([0o620, 0o602, 0o666, 0o664])("that group or others may write (%o) is refused", (mode) => {
    const path = newFile();
    chmodSync(path, mode);
    expect(() => loadRolesFile(path, commands)).toThrow(/group or others may write it.*chmod go-w/);
  });

  test("that is not there, or is a folder, is said so", () => {
    const directory = temporaryDirectory();
    expect(() => loadRolesFile(join(directory, "none.json"), commands)).toThrow(
      expect.objectContaining({ category: "ObjectNotFound" }),
    );
    mkdirSync(join(directory, "folder"), { mode: 0o700 });
    expect(() => loadRolesFile(join(directory, "folder"), commands)).toThrow("it is a folder, not a regular file");
  });

  test("that is broken names itself, the line and the path", () => {
    const path = newFile();
    writeFileSync(path, '{\n "roleCapabilities": {},\n "roleDefinitions": {},\n "session": { "idle": 1 }\n}');
    expect(() => loadRolesFile(path, commands)).toThrow(`${path}, line 4, session.idle: "idle" is not known here`);
  });

  test("that is larger than a megabyte is refused", () => {
    const path = newFile();
    writeFileSync(path, " ".repeat(1024 * 1024 + 1));
    expect(() => loadRolesFile(path, commands)).toThrow("is larger than");
  });
});

describe("positions in a JSON text", () => {
  const text = '{\n  "a": [1,\n    {"b":\n "x\\"}{", "c" : null}\n  ],\n  "d}": {}, "": [],\n "b": true }';
  const { lineOf } = findJsonPositions(text);
  test.each([
    [["a"], 2],
    [["a", 0], 2],
    [["a", 1], 3],
    [["a", 1, "b"], 3],
    [["a", 1, "c"], 4],
    [["d}"], 6],
    [[""], 6],
    [["b"], 7],
    [["a", 1, "nothing"], 3],
    [["nothing"], 1],
    [[], 1],
  ])("%j stands in line %i", (path, line) => {
    expect(lineOf(path)).toBe(line);
  });

  test("names that stand twice are found wherever they are, escaped or not", () => {
    expect(findJsonPositions('{"a":{"b":1,"\\u0062":2},"c":[{"d":1},{"d":1,"d":2}]}').duplicates).toEqual([
      ["a", "b"],
      ["c", 1, "d"],
    ]);
  });
});
