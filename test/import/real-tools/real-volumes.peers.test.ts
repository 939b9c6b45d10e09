import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../harness/temporary-directory.ts";
import { samples, sharedData, writeFile } from "../recovery-data.ts";
import { forms } from "../written-forms.ts";
import { directoryEntries, exportsOf, mayRunDomain, startDomain } from "./domain.ts";
import { linesIn, linesOf, realComputers } from "./known-keys.ts";
import { findAll, pwsh } from "./tools.ts";
import { writeWithPowerShell } from "./write-with-powershell.ts";

const unlockCheck = join(sharedData, "..", "tools", "unlock-check");
const isThere = existsSync(unlockCheck) && findAll("cryptsetup", "xz") !== undefined;

const sorted = (lines: readonly string[]): readonly string[] => [...new Set(lines)].sort();

const verdicts = new Map<string, string | undefined>();

/** What the real volumes say of keys, asked once of each list; the list of true keys has no part in it. */
const unlock = (lines: readonly string[]): string | undefined => {
  const input = sorted(lines.map((line) => line.split(" ").slice(-2).join("\t"))).join("\n");
  if (!verdicts.has(input)) {
    verdicts.set(input, spawnSync(unlockCheck, { input, encoding: "utf8" }).stdout.trim().split("\n").at(-1));
  }
  return verdicts.get(input);
};
const unlocked = "9 of 9 volumes unlocked";

/** What each of these files gives. */
const linesOfEach = async (
  files: readonly (readonly [string, string])[],
): Promise<readonly [string, readonly string[]][]> => {
  const read: [string, readonly string[]][] = [];
  for (const [name, path] of files) read.push([name, sorted(await linesIn(path))]);
  return read;
};
const all = (): readonly string[] => sorted(linesOf(realComputers()));

const write = (texts: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] => {
  const directory = temporaryDirectory();
  return texts.map(([name, text], index) => [name, writeFile(directory, `${index}`, text)] as const);
};

describe.skipIf(!isThere)("nine real volumes (skipped: ../shared or cryptsetup is not there)", () => {
  test("unlock with the keys of every form that is read", async () => {
    const keys = realComputers().flatMap(({ computer, volumes }) =>
      volumes.flatMap(({ protectors }) => protectors.map(({ id, password }) => ({ computer, id, password }))),
    );
    const read = await linesOfEach(write(forms.map(([name, text]) => [name, text(keys)] as const)));
    expect(read).toEqual(read.map(([name]) => [name, all()]));
    expect(unlock(read[0]?.[1] ?? [])).toBe(unlocked);
    for (const name of ["BitLockerInfo.csv", "msFVE-RecoveryInformation.ldf", "graph-recoveryKeys-with-key.json"]) {
      expect([name, unlock(await linesIn(join(samples, name)))]).toEqual([name, unlocked]);
    }
  });

  test.skipIf(pwsh === undefined)("unlock with the keys of every file of PowerShell (skipped: no pwsh)", async () => {
    const folder = await writeWithPowerShell(realComputers(), temporaryDirectory());
    const files = globSync("*", { cwd: join(folder, "all") }).sort();
    expect(files.length).toBeGreaterThan(50);
    const read = await linesOfEach(files.map((name) => [name, join(folder, "all", name)] as const));
    expect(read).toEqual(read.map(([name]) => [name, all()]));
    expect(unlock(read[0]?.[1] ?? [])).toBe(unlocked);
  });

  test.skipIf(!mayRunDomain)(
    "unlock with the keys of every export of a domain controller (skipped: no samba)",
    async () => {
      const directory = temporaryDirectory();
      const domain = await startDomain(directory);
      onTestFinished(domain.stop);
      const entries = writeFile(directory, "entries.ldif", directoryEntries(realComputers()));
      const said = await domain.ldap("ldapmodify", ["-v", "-f", entries]);
      const texts = await exportsOf(domain, directory);
      const read = await linesOfEach([["ldapmodify's input", entries], ...write([["ldapmodify", said], ...texts])]);
      expect(read).toEqual(read.map(([name]) => [name, all()]));
      expect(unlock(read[0]?.[1] ?? [])).toBe(unlocked);
    },
  );
});
