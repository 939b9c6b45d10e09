import { describe, expect, test } from "vitest";
import { revealSecret, Secret } from "../../server/secret.ts";
import { portsOf, startOnRecord } from "../harness/closed-ports.ts";
import { createMemorySite, makeKeys, type MemorySite } from "./memory-site.ts";
import { runLine } from "./run-line.ts";

const keys = makeKeys(6);
const id = (number: number): string => keys[number]?.passwordId ?? "";
const packages = (...numbers: readonly number[]): ReadonlyMap<string, Secret> =>
  new Map(numbers.map((number) => [id(number), new Secret(`cGFja2FnZSA${number}`)]));
const siteWith = (...numbers: readonly number[]): MemorySite =>
  createMemorySite(keys, undefined, undefined, packages(...numbers));

describe("which key's package is meant", () => {
  test.each([
    ["the first digits of its id", `Get-RecoveryPackage ${id(1).slice(0, 8)}`],
    ["its whole id, as the console shows it", `Get-RecoveryPackage '{${id(1).toLowerCase()}}'`],
    ["its computer, of whose keys one alone has a package", "Get-RecoveryPackage -ComputerName pc-0001"],
    ["its computer and kind of volume", "Get-RecoveryPackage -ComputerName PC-0001 -VolumeType FixedData"],
  ])("%s", async (_, line) => {
    const site = siteWith(1);
    const { result } = await runLine(`${line} -Reason "lost PIN"`, site);
    if (result.kind !== "secret-file") throw new Error(`answered ${result.kind}`);
    expect(result.label).toEqual({ keyId: id(1), computerName: "PC-0001", what: "recovery-package" });
    expect(site.asked.map(({ what }) => what)).not.toContain("take-package");
    expect(site.marked).toEqual([]);
    expect(revealSecret(await result.take())).toBe("cGFja2FnZSA1");
    expect(site.asked.at(-1)).toEqual({ what: "take-package", passwordIds: [id(1)], reason: "Lost PIN" });
  });

  test("of several it is none: they are named, with what tells them apart", async () => {
    const site = siteWith(0, 2, 4);
    await expect(runLine("Get-RecoveryPackage -ComputerName PC-0001", site)).rejects.toMatchObject({
      category: "ObjectNotFound",
      message:
        "Several keys may have a package: give the whole id of one. " +
        `${id(2)} (PC-0001, Removable, 2026-11-03T00:00:00.000Z, Current); ` +
        `${id(0)} (PC-0001, OperatingSystem, 2026-11-01T00:00:00.000Z, Current)`,
    });
    expect(site.asked.map(({ what }) => what)).not.toContain("take-package");
  });

  test.each([
    ["Get-RecoveryPackage ABCD0002", "The site database has no recovery package of this key."],
    ["Get-RecoveryPackage 12345678", "No recovery key was found for 12345678."],
    ["Get-RecoveryPackage -ComputerName PC-9999", "No recovery key was found for computer PC-9999."],
  ])("%s: %s", async (line, message) => {
    await expect(runLine(line, siteWith(0))).rejects.toMatchObject({ category: "ObjectNotFound", message });
  });

  test("a line without a key id and without a computer is refused", async () => {
    await expect(runLine("Get-RecoveryPackage -Latest", siteWith(0))).rejects.toMatchObject({
      category: "InvalidArgument",
    });
  });
});

test("an approver reads that it is one package, or why there is none", async () => {
  const estimate = async (line: string, site: MemorySite): Promise<unknown> => {
    const { bound } = await runLine(line, site);
    const { signal } = new AbortController();
    const opening = await startOnRecord();
    const context = portsOf(site).forCommand(opening, {
      keyBounds: undefined,
      reviewer: { connectedUser: "a" },
      signal,
    });
    return bound.command.estimateRows?.(context);
  };
  await expect(estimate(`Get-RecoveryPackage ${id(1)}`, siteWith(1))).resolves.toEqual({ rows: 1 });
});
