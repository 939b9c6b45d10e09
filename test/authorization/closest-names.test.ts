import { expect, test } from "vitest";
import { closestNames } from "../../server/authorization/closest-names.ts";

const names = ["Get-RecoveryKeys", "Get-Command", "Get-Help", "verify-cert", "Select-Object", "exit"];

test.each([
  ["Get-RecoveryKey", ["Get-RecoveryKeys"]],
  ["get-recvoerykeys", ["Get-RecoveryKeys"]],
  ["GetRecoveryKeys", ["Get-RecoveryKeys"]],
  ["Get-Recovery", ["Get-RecoveryKeys"]],
  ["Get-Comand", ["Get-Command"]],
  ["verify-crt", ["verify-cert"]],
  ["exti", ["exit"]],
])("%s may be %j", (typed, found) => {
  expect(closestNames(typed, names)).toEqual(found);
});

test.each(["", "Get", "dir", "Get-ADComputer", "Gеt-Command", "Get‐Command", "x".repeat(5000), "__proto__"])(
  "%s is near to none",
  (typed) => {
    expect(closestNames(typed, names)).toEqual([]);
  },
);

test("of many the closest three are named", () => {
  expect(closestNames("get-x", ["get-ab", "get-y", "get-xy", "get-z", "get-w"])).toEqual(["get-xy", "get-y", "get-z"]);
});
