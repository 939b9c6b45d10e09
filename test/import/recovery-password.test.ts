import { assert as assertProperty, asyncProperty, integer, nat, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { createRandom, makePassword, pairs, readAll, writeFile } from "./recovery-data.ts";

const id = "00FB8673-8B42-C835-484F-3E32248C1E89";
const header = "ComputerName;PasswordID;RecoveryPassword";

/** The password as the importer keeps it; undefined when it is refused. */
const imported = async (directory: string, password: string): Promise<string | undefined> => {
  const path = writeFile(directory, "one.csv", `${header}\nPC-1;${id};${password}\n`);
  return (await readAll(path, { onSkipped: () => undefined }).then(pairs))[0]?.[1];
};

describe("recovery passwords", () => {
  test.each([
    ["published by Microsoft", "496298-461032-321464-595518-463221-173943-033616-139579"],
    ["published by Microsoft, too", "158422-038236-492536-574783-256300-205084-114356-069773"],
    ["of a real volume", "235818-357951-253979-013365-241120-245575-342914-591910"],
    ["the lowest", Array(8).fill("000000").join("-")],
    ["the highest", Array(8).fill("720885").join("-")],
  ])("taken: %s", async (_, password) => {
    const directory = temporaryDirectory();
    for (const separator of ["-", " ", ""]) {
      expect(await imported(directory, password.replaceAll("-", separator))).toBe(password);
    }
  });

  test.each([
    ["groups over 720885", "111111-222222-333333-444444-555555-666666-777777-888888"],
    ["a quotient of 65536", "720896-000000-000000-000000-000000-000000-000000-000000"],
    ["not divisible by 11", "235819-357951-253979-013365-241120-245575-342914-591910"],
    ["seven groups", "235818-357951-253979-013365-241120-245575-342914"],
    ["a letter O", "235818-357951-253979-013365-241120-245575-342914-59191O"],
    ["mixed separators", "235818-357951 253979-013365-241120-245575-342914-591910"],
    ["digits of another script", "２３５８１８-357951-253979-013365-241120-245575-342914-591910"],
  ])("refused: %s", async (_, password) => {
    expect(await imported(temporaryDirectory(), password)).toBeUndefined();
  });

  test("any made-up password is taken, and with any one digit changed it is refused", async () => {
    const directory = temporaryDirectory();
    const digit = record({ at: nat({ max: 47 }), by: integer({ min: 1, max: 9 }) });
    await assertProperty(
      asyncProperty(integer(), digit, async (seed, { at, by }) => {
        const password = makePassword(createRandom(seed));
        expect(await imported(directory, password)).toBe(password);
        // 11 divides no difference of one digit: by times a power of ten.
        const place = at + Math.floor(at / 6);
        const changed = String((Number(password[place]) + by) % 10);
        const wrong = password.slice(0, place) + changed + password.slice(place + 1);
        expect(await imported(directory, wrong)).toBeUndefined();
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
