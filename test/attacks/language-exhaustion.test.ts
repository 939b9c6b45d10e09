/*
 * ATTACK: lines of a megabyte, thousands of words, parameters, list elements, pipes or open quotes, binary rubbish.
 * DANGER: one client keeps the one thread busy or fills the memory, and everyone's session stands still.
 * EXPECT: refused at once by a limit with its value, before anything grows; never anything but a Refusal.
 */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { Refusal } from "../../server/errors.ts";
import { decode, withEntries } from "../authorization/roles-text.ts";

const { bindLine } = decode(withEntries("Get-RecoveryKeys")).commandsFor("alice");

const refusalOf = (line: string): Refusal => {
  try {
    bindLine(line);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error("was not refused");
};

const megabyte = 1024 * 1024;
const floods: readonly (readonly [string, string])[] = [
  ["a line of a megabyte", "a".repeat(megabyte)],
  ["blanks", " ".repeat(megabyte)],
  ["line breaks", "\n".repeat(megabyte)],
  ["quotes", "Get-Help " + "'".repeat(megabyte)],
  ["backticks", "Get-Help " + "`".repeat(megabyte)],
  ["words", `Get-Help${" a".repeat(1000)}`],
  ["parameters", `Get-Help${" -Name a".repeat(900)}`],
  ["list elements", `Get-RecoveryKeys ${"A,".repeat(4000)}A`],
  ["one long value", `Get-RecoveryKeys ${"A".repeat(8000)}`],
  ["pipes", `Get-Command${" | Measure-Object".repeat(400)}`],
];
test.each(floods)("%s: a limit, by name and value", (_what, line) => {
  const refusal = refusalOf(line);
  expect([refusal.category, refusal.exitStatus, refusal.reason]).toEqual(["LimitsExceeded", 5, "limit"]);
  expect(refusal.message).toMatch(/at most \d+/);
  expect(refusal.message.length).toBeLessThan(200);
});

test("rubbish is refused as such", () => {
  for (let round = 0; round < 200; round += 1) {
    expect(refusalOf(randomBytes(64).toString("latin1"))).toBeInstanceOf(Refusal);
    expect(refusalOf(`Get-Help ${randomBytes(64).toString("utf16le")}\u0000`)).toBeInstanceOf(Refusal);
  }
});

test("the longest list that is allowed is bound, and the same value twice asks once", () => {
  const ids = Array.from({ length: 200 }, (_, index) => `24B0AA32-${String(1000 + index)}`);
  expect(bindLine(`Get-RecoveryKeys -RecoveryKeyId ${ids.join(",")}`).command.parameters["RecoveryKeyId"]).toHaveLength(
    200,
  );
  expect(bindLine(`Get-RecoveryKeys ${"PC-1,".repeat(199)}PC-1`).command.parameters).toEqual({
    ComputerName: ["PC-1"],
  });
});
