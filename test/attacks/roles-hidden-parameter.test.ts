/*
 * ATTACK: a user whose role does not grant -raw and -NoRotation reaches them by a prefix (-r, -ra, -n), by another case, in
 *         quotes, behind a colon, inside a list, as a value that looks like a parameter, or through a look-alike letter.
 * DANGER: one helpdesk account takes every key of the site at once, and no client rotates.
 * EXPECT: a hidden parameter answers to nothing: refused in the words of one that does not exist, or taken as plain text.
 */
import { expect, test } from "vitest";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";

const roles = decode(withEntries({ name: "Get-RecoveryKeys", requireOneOf: ["ComputerName"] }));
const { bindLine } = roles.commandsFor("alice");
const unknownParameter = outcome(roles, "Get-RecoveryKeys PC-1 -zzz");

test.each([
  "-raw",
  "-RAW",
  "-ra",
  "-NoRotation",
  "-norotation",
  "-No",
  "-n",
  "–raw",
  "—raw",
  "-raw:x",
  "-raw:'x'",
  "-raw x",
])("%s is answered as a parameter that does not exist", (typed) => {
  expect(unknownParameter).toMatch(/^Get-RecoveryKeys has no such parameter\. You may give: /);
  expect(outcome(roles, `Get-RecoveryKeys PC-1 ${typed}`)).toBe(unknownParameter);
});

test("the allowed names that are listed do not hold it", () => {
  expect(unknownParameter).not.toMatch(/raw|NoRotation/i);
});

test("it does not make a prefix ambiguous, nor is it among those that are", () => {
  const noReason = decode(withEntries({ name: "Get-RecoveryKeys", parameters: ["ComputerName", "RecoveryKeyId"] }));
  expect(noReason.commandsFor("alice").bindLine("Get-RecoveryKeys -r 24B0AA32").command.parameters).toEqual({
    RecoveryKeyId: ["24B0AA32"],
  });
  expect(outcome(roles, "Get-RecoveryKeys PC-1 -r x")).toBe(
    "That parameter is ambiguous: it may be -RecoveryKeyId, -Reason.",
  );
});

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
