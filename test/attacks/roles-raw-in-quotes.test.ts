/*
 * ATTACK: -raw is smuggled in quotes, inside a list, as a value that looks like a parameter, or in look-alike letters.
 * DANGER: one helpdesk account takes every key of the site at once, and no client rotates.
 * EXPECT: what stands in quotes is a text, and a look-alike is no switch, not even for someone who has the real one.
 */
import { expect, test } from "vitest";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";

const roles = decode(withEntries({ name: "Get-RecoveryKeys", requireOneOf: ["ComputerName"] }));
const { bindLine } = roles.commandsFor("alice");

test.each(["'-raw'", '"-raw"', "`-raw", "PC-1,'-raw'", "-ComputerName:-raw", "'PC-1 -raw'"])(
  "%s as a value is a text, and never a switch",
  (typed) => {
    let parameters: Readonly<Record<string, unknown>> = {};
    try {
      ({ parameters } = bindLine(`Get-RecoveryKeys ${typed}`).command);
    } catch (error) {
      expect(error).toMatchObject({ category: "InvalidArgument" }); // no computer has such a name
    }
    expect(Object.keys(parameters)).not.toContain("raw");
  },
);

test("a reason that looks like a parameter is a reason", () => {
  expect(bindLine("Get-RecoveryKeys PC-1 -Reason '-raw -NoRotation'").command.parameters).toEqual({
    ComputerName: ["PC-1"],
    Reason: "-raw -NoRotation",
  });
  expect(outcome(roles, "Get-RecoveryKeys PC-1 -Reason -raw")).toMatch(/-Reason needs a value/);
});

test.each([
  "-rаw",
  "-ｒaw",
  "-ra\u0301w",
  "-ŕaw",
  "-r\u200baw",
  "-raw\u00ad",
  "-ra'w'",
  '-"raw"',
  "-r`aw",
  "--raw",
  "/raw",
  "-raw=1",
])("%j is not read as -raw, not even for someone who has it", (typed) => {
  const exporter = decode(withEntries({ name: "Get-RecoveryKeys", parameters: ["ComputerName", "raw"] }));
  let parameters: Readonly<Record<string, unknown>> = {};
  try {
    ({ parameters } = exporter.commandsFor("alice").bindLine(`Get-RecoveryKeys PC-1 ${typed}`).command);
  } catch (error) {
    expect(error).toMatchObject({ category: "InvalidArgument" });
  }
  expect(Object.keys(parameters)).not.toContain("raw");
});
