/*
 * ATTACK: a person with two roles asks for something neither grants: the parameter of one with the free values, the
 *         missing row limit or the missing rule of the other.
 * DANGER: rights appear that nobody wrote into the roles file; JEA's own merge of several roles is known for it.
 * EXPECT: one entry accepts the whole line, with that entry's limits, or nobody does.
 */
import { expect, test } from "vitest";
import { decode, outcome } from "../authorization/roles-text.ts";

const roles = decode(
  JSON.stringify({
    roleCapabilities: {
      lab: {
        visibleCommands: [
          {
            name: "Get-RecoveryKeys",
            parameters: [{ name: "ComputerName", validatePattern: "LAB-.*" }, "raw"],
            requireOneOf: ["ComputerName"],
          },
        ],
      },
      desk: {
        visibleCommands: [
          { name: "Get-RecoveryKeys", parameters: ["ComputerName", "Reason"], requireReason: true, maxRows: 3 },
        ],
      },
      types: {
        visibleCommands: [
          { name: "Get-RecoveryKeys", parameters: [{ name: "VolumeType", validateSet: ["Removable"] }], maxRows: 1 },
        ],
      },
    },
    roleDefinitions: { "user:alice": { roleCapabilities: ["types", "desk", "lab"] } },
  }),
);
const { bindLine } = roles.commandsFor("alice");

test("each entry alone is accepted, with its own limit", () => {
  const limits = (line: string): readonly unknown[] => [bindLine(line).roleCapability, bindLine(line).maxRows];
  expect(limits("Get-RecoveryKeys LAB-1 -raw")).toEqual(["lab", undefined]);
  expect(limits("Get-RecoveryKeys LAB-1")).toEqual(["lab", undefined]);
  expect(limits("Get-RecoveryKeys HR-1 -Reason x")).toEqual(["desk", 3]);
  expect(limits("Get-RecoveryKeys LAB-1 -Reason x")).toEqual(["desk", 3]);
  expect(limits("Get-RecoveryKeys -VolumeType removable")).toEqual(["types", 1]);
  expect(limits("Get-RecoveryKeys")).toEqual(["types", 1]);
});

test.each([
  "Get-RecoveryKeys HR-1 -raw",
  "Get-RecoveryKeys HR-1 -raw -Reason x",
  "Get-RecoveryKeys LAB-1,HR-1 -raw",
  "Get-RecoveryKeys -raw",
  "Get-RecoveryKeys -raw -Reason x",
  "Get-RecoveryKeys LAB-1 -VolumeType Removable",
  "Get-RecoveryKeys -Reason x -VolumeType Removable",
  "Get-RecoveryKeys HR-1",
  "Get-RecoveryKeys -VolumeType FixedData",
])("%s is in no role", (line) => {
  expect(outcome(roles, line)).toMatch(/^None of your roles allows all of this: as lab: .* as desk: .* as types: /);
});
