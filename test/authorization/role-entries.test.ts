import { describe, expect, test } from "vitest";
import { decode, outcome, withEntries } from "./roles-text.ts";

const keys = (more: object) => ({ name: "Get-RecoveryKeys", ...more });

describe("a bare name", () => {
  test("grants the ordinary parameters and not the restricted ones", () => {
    for (const bare of ["Get-RecoveryKeys", keys({}), keys({ maxRows: 5 })]) {
      const roles = decode(withEntries(bare));
      expect(outcome(roles, "Get-RecoveryKeys -Since 7d -Latest")).toBe("accepted as role");
      expect(outcome(roles, "Get-RecoveryKeys -raw")).toMatch(/no such parameter/);
      expect(outcome(roles, "Get-RecoveryKeys -NoRotation")).toMatch(/no such parameter/);
    }
  });
});

describe("values", () => {
  const limited = (rule: object) => decode(withEntries(keys({ parameters: [{ name: "ComputerName", ...rule }] })));

  test("a set is compared without case, each value of a list", () => {
    const roles = limited({ validateSet: ["PC-1", "PC-2"] });
    expect(outcome(roles, "Get-RecoveryKeys pc-1,PC-2")).toBe("accepted as role");
    expect(outcome(roles, "Get-RecoveryKeys PC-1,PC-3")).toBe(
      "Your role role does not allow this: -ComputerName must be one of: PC-1, PC-2.",
    );
  });

  test("a pattern holds for the whole value, without case, for each value of a list", () => {
    const roles = limited({ validatePattern: "hr-[0-9]+|lab" });
    for (const line of ["HR-17", "lab", "LAB,hr-1"])
      expect(outcome(roles, `Get-RecoveryKeys ${line}`)).toBe("accepted as role");
    for (const line of ["HR-17x", "xlab", "lab-1", "lab,HR-", "hr"]) {
      expect(outcome(roles, `Get-RecoveryKeys ${line}`)).toBe(
        "Your role role does not allow this: -ComputerName must match, as a whole, the pattern hr-[0-9]+|lab (upper and lower case are the same).",
      );
    }
  });

  test("where set and pattern are given both must hold, and the refusal lists what is left", () => {
    const roles = limited({ validateSet: ["HR-1", "HR-2", "LAB-1"], validatePattern: "hr-.*" });
    expect(outcome(roles, "Get-RecoveryKeys hr-2")).toBe("accepted as role");
    expect(outcome(roles, "Get-RecoveryKeys LAB-1")).toMatch(/must be one of: HR-1, HR-2\.$/);
    expect(outcome(roles, "Get-RecoveryKeys HR-3")).toMatch(/must be one of: HR-1, HR-2\.$/);
  });

  test("a closed set is narrowed in every word the user reads", () => {
    const roles = decode(
      withEntries(keys({ parameters: [{ name: "VolumeType", validatePattern: ".*data|removable" }] })),
    );
    expect(outcome(roles, "Get-RecoveryKeys -VolumeType Floppy")).toBe(
      "-VolumeType must be one of: FixedData, Removable.",
    );
    expect(outcome(roles, "Get-RecoveryKeys -VolumeType Unknown")).toMatch(/must match/);
    const [description] = roles.commandsFor("alice").descriptions;
    expect(description?.parameters).toEqual([
      expect.objectContaining({ name: "VolumeType", values: ["FixedData", "Removable"] }),
    ]);
  });
});

describe("rules of an entry", () => {
  test("at least one of", () => {
    const roles = decode(withEntries(keys({ requireOneOf: ["ComputerName", "recoverykeyid"] })));
    expect(outcome(roles, "Get-RecoveryKeys -Latest")).toBe(
      "Your role role does not allow this: Give at least one of -ComputerName, -RecoveryKeyId.",
    );
    expect(outcome(roles, "Get-RecoveryKeys -Rec 24B0AA32")).toBe("accepted as role");
  });

  test("a reason", () => {
    const roles = decode(withEntries(keys({ requireReason: true })));
    expect(outcome(roles, "Get-RecoveryKeys PC-1")).toMatch(/-Reason must be given/);
    expect(() => roles.commandsFor("alice").bindLine("Get-RecoveryKeys PC-1")).toThrow(
      expect.objectContaining({ reason: "reason", category: "InvalidArgument" }),
    );
    expect(outcome(roles, "Get-RecoveryKeys PC-1 -Reason 'Lost PIN'")).toBe("accepted as role");
  });

  test("a reason of the command's own list, in any case, and no other", () => {
    const roles = decode(withEntries(keys({ requireReason: "listed" })));
    expect(outcome(roles, "Get-RecoveryKeys PC-1")).toMatch(/-Reason must be given/);
    expect(outcome(roles, "Get-RecoveryKeys PC-1 -Reason 'because'")).toMatch(/-Reason must be one of: .*Lost PIN/);
    expect(outcome(roles, "Get-RecoveryKeys PC-1 -Reason 'lost pin'")).toBe("accepted as role");
  });

  test("a row limit is handed on, and its absence", () => {
    expect(
      decode(withEntries(keys({ maxRows: 3 })))
        .commandsFor("alice")
        .bindLine("Get-RecoveryKeys").maxRows,
    ).toBe(3);
    expect(
      decode(withEntries(keys({})))
        .commandsFor("alice")
        .bindLine("Get-RecoveryKeys").maxRows,
    ).toBeUndefined();
  });
});

describe("several roles", () => {
  const file = {
    roleCapabilities: {
      narrow: {
        visibleCommands: [keys({ parameters: ["ComputerName", "Reason"], requireOneOf: ["ComputerName"], maxRows: 5 })],
      },
      bulk: { visibleCommands: [keys({ parameters: ["Since", "raw"] }), "verify-cert"] },
    },
    roleDefinitions: {
      "user:alice": { roleCapabilities: ["bulk", "narrow"] },
      "group:g": { roleCapabilities: ["narrow"] },
    },
    groups: { g: ["bob", "ALICE"] },
  };
  const roles = decode(JSON.stringify(file));

  test("add up by entries, the first in the file's order, not in the user's", () => {
    expect(outcome(roles, "Get-RecoveryKeys PC-1")).toBe("accepted as narrow");
    expect(outcome(roles, "Get-RecoveryKeys -raw")).toBe("accepted as bulk");
    expect(outcome(roles, "Get-RecoveryKeys")).toBe("accepted as bulk");
    expect(outcome(roles, "verify-cert")).toBe("accepted as bulk");
    expect(outcome(roles, "Get-RecoveryKeys PC-1", "bob")).toBe("accepted as narrow");
    expect(outcome(roles, "Get-RecoveryKeys -raw", "bob")).toMatch(/no such parameter/);
  });

  test("never mix, and the refusal says what each of them lacks", () => {
    expect(outcome(roles, "Get-RecoveryKeys PC-1 -raw")).toBe(
      "None of your roles allows all of this: as narrow: -raw can't be given together with the rest. " +
        "as bulk: -ComputerName can't be given together with the rest.",
    );
  });

  test("are described together, each with its rules", () => {
    const description = roles.commandsFor("alice").descriptions.find(({ name }) => name === "Get-RecoveryKeys");
    expect(description?.parameters.map(({ name }) => name)).toEqual(["ComputerName", "Since", "Reason", "raw"]);
    expect(description?.rules).toEqual([
      "As narrow, with -ComputerName, -Reason: -ComputerName must be given. At most 5 rows at a time; when there are more, none is shown.",
      "As bulk, with -Since, -raw: no further rule.",
    ]);
  });

  test("why a user has a role is known", () => {
    expect(roles.heldRoles("alice")).toEqual([
      { roleCapability: "narrow", because: ["user:alice", "group:g"] },
      { roleCapability: "bulk", because: ["user:alice"] },
    ]);
  });
});

describe("required groups", () => {
  const file = (requiredGroups: unknown): string =>
    JSON.stringify({
      roleCapabilities: { r: { visibleCommands: ["verify-cert"] } },
      roleDefinitions: { "user:alice": { roleCapabilities: ["r"] }, "user:bob": { roleCapabilities: ["r"] } },
      groups: { a: ["alice", "bob"], b: ["alice"], c: ["bob"] },
      requiredGroups,
    });
  const cases: readonly (readonly [unknown, boolean, boolean])[] = [
    ["a", true, true],
    ["B", true, false],
    [{ And: ["a", "b"] }, true, false],
    [{ Or: ["b", "c"] }, true, true],
    [{ And: ["a", { Or: ["c", { And: ["b", "c"] }] }] }, false, true],
  ];
  test.each(cases)("%j lets alice %j and bob %j connect", (condition, alice, bob) => {
    const roles = decode(file(condition));
    expect([roles.mayConnect("alice"), roles.mayConnect("bob"), roles.mayConnect("guest")]).toEqual([
      alice,
      bob,
      false,
    ]);
  });

  test("who does not meet them has no command at all, in the words of one that never was", () => {
    const roles = decode(file("b"));
    expect(roles.commandsFor("bob").descriptions).toEqual([]);
    const unknown = outcome(roles, "No-Such", "bob");
    for (const line of ["verify-cert", "Get-Command", "exit", "Get-Help -?"])
      expect(outcome(roles, line, "bob")).toBe(unknown);
    expect(outcome(roles, "verify-cert", "alice")).toBe("accepted as r");
  });
});
