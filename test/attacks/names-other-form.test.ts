/*
 * ATTACK  A role names the computers that its users may see, by a pattern on -ComputerName. They type a name that the pattern allows and that
 *         means a computer which it does not: the short form of a name with another domain, or a name with a domain whose short form is stored.
 * DANGER  The typed name is judged and the stored one is disclosed: "PC-1" opens PC-1.other.example.
 * EXPECT  Both are judged. A computer outside is not found, not named in a refusal, and makes no name ambiguous: the same words as for one
 *         that does not exist.
 */
import { expect, test } from "vitest";
import { Secret } from "../../server/secret.ts";
import { passwordOf } from "../site-database/fixture.ts";
import { runLine, withForty } from "../session/invoke-stage.ts";
import { createMemorySite, makeKeys } from "../commands/memory-site.ts";

withForty();

const stored = ["PC-1.other.example", "PC-2.corp.example", "PC-2.other.example", "PC-3", "SRV-4"] as const;
const keys = makeKeys(stored.length).map((key, index) => {
  const computerName = stored[index] ?? "";
  const recoveryKey = new Secret(passwordOf(index), { keyId: key.passwordId, computerName });
  return { ...key, computerName, recoveryKey };
});

const run = async (typed: string, rule: object) => {
  const roles = JSON.stringify({
    roleCapabilities: {
      bounded: {
        visibleCommands: [
          { name: "Get-RecoveryKeys", parameters: [{ name: "ComputerName", ...rule }, "RecoveryKeyId", "NoRotation"] },
        ],
      },
    },
    roleDefinitions: { "user:exporter": { roleCapabilities: ["bounded"] } },
  });
  let told = "";
  const line = `Get-RecoveryKeys ${typed} -NoRotation`;
  const { outcome, shown, events } = await runLine(line, {
    roles,
    siteDatabase: createMemorySite(keys),
    delivery: { tell: async (text) => void (told += text) },
  });
  const disclosed = events.flatMap((event) =>
    event.type === "disclosure" ? event.keys.map(({ computerName }) => computerName) : [],
  );
  return { outcome, disclosed, words: JSON.stringify([outcome.failure, shown, told]) };
};

const pattern = (validatePattern: string): object => ({ validatePattern });

test.each([
  ["PC-1", "PC-9", pattern("PC-[0-9]+")],
  ["PC-1", "PC-9", { validateSet: ["PC-1", "PC-9"] }],
  ["PC-1", "PC-9", pattern(String.raw`PC-[0-9]+(\.corp\.example)?`)],
  ["PC-3.corp.example", "PC-9.corp.example", pattern(String.raw`.*\.corp\.example`)],
])(
  "%s, which the rule allows, opens no computer that it doesn't: as %s, which is not there",
  async (typed, nowhere, rule) => {
    const [outside, none] = [await run(typed, rule), await run(nowhere, rule)];
    expect([outside.disclosed, outside.outcome.exitStatus]).toEqual([[], 3]);
    expect(outside.words.replaceAll(typed, "NAME")).toBe(none.words.replaceAll(nowhere, "NAME"));
  },
);

test("a computer outside neither makes a name ambiguous nor is named", async () => {
  const { disclosed, words } = await run("PC-2", { validatePattern: String.raw`PC-[0-9]+(\.corp\.example)?` });
  expect(disclosed).toEqual(["PC-2.corp.example"]);
  expect(words).not.toContain("other.example");
});

test("a typed name outside the pattern is refused, though the stored one is inside", async () => {
  const { outcome, disclosed } = await run("PC-2", { validatePattern: String.raw`.*\.corp\.example` });
  expect([disclosed, outcome.exitStatus]).toEqual([[], 2]);
});
