/*
 * ATTACK: a user whose role does not grant -raw and -NoRotation reaches them by a prefix (-r, -ra, -n), by another case, or
 *         behind a colon.
 * DANGER: one helpdesk account takes every key of the site at once, and no client rotates.
 * EXPECT: a hidden parameter answers to nothing: refused in the words of one that does not exist.
 */
import { expect, test } from "vitest";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";

const roles = decode(withEntries({ name: "Get-RecoveryKeys", requireOneOf: ["ComputerName"] }));
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
