import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRecoveryFile } from "../../../server/import/read-recovery-file.ts";
import { revealSecret } from "../../../server/secret.ts";
import { createRandom, makeGuid, makePassword, readAll, writeFile } from "../recovery-data.ts";
import {
  computerName,
  computersUnit,
  directoryEntries,
  exportsOf,
  mayRunDomain,
  recoveryEntry,
  recoveryName,
  startDomain,
  type Domain,
} from "./domain.ts";
import { linesIn, linesOf, madeUpComputers, type Computer } from "./known-keys.ts";

const random = createRandom(99);
const sorted = (lines: readonly string[]): readonly string[] => lines.toSorted();

const extra = (computer: string): Computer => ({
  computer,
  volumes: [
    {
      mountPoint: "C:",
      volumeType: "OperatingSystem",
      protectors: [{ id: makeGuid(random), type: "RecoveryPassword", password: makePassword(random), file: "" }],
    },
  ],
});
const first = (computer: Computer): { readonly id: string; readonly password: string } =>
  computer.volumes[0]?.protectors[0] ?? { id: "", password: "" };

const computers = madeUpComputers(78);
/** Its key is deleted; another computer is deleted with its key. */
const keyDeleted = extra("PC-0002");
const computerDeleted = extra("PC-0003");
/** Objects that lost a conflict: a key, and a computer with its key. */
const keyConflict = extra("PC-0001");
const computerConflict = extra("PC-0001");
const conflict = "\\0ACNF:cd52897f-ef12-9170-2e58-294c03d5ced";

describe.skipIf(!mayRunDomain)(
  "exports of a Samba domain controller (skipped: not root, or samba, ldap-utils or ldb-tools are not there)",
  () => {
    const directory = mkdtempSync(join(tmpdir(), "pep-domain-"));
    let domain: Domain | undefined;
    const theDomain = (): Domain => {
      if (domain === undefined) throw new Error("the domain controller has not started");
      return domain;
    };
    const add = async (name: string, text: string): Promise<string> =>
      theDomain().ldap("ldapmodify", ["-v", "-f", writeFile(directory, name, text)]);
    let said = "";

    beforeAll(async () => {
      domain = await startDomain(directory);
      said = await add("entries.ldif", directoryEntries([...computers, keyDeleted, computerDeleted]));
      const conflicting = `CN=PC-0001${conflict}4,${computersUnit}`;
      const [key, ofComputer] = [first(keyConflict), first(computerConflict)];
      const entries =
        recoveryEntry(key.id, key.password, `CN={${key.id}}${conflict}3,${computerName("PC-0001")}`) +
        `dn: ${conflicting}\nobjectClass: computer\nsAMAccountName: DUPLICATE-1$\n\n` +
        recoveryEntry(ofComputer.id, ofComputer.password, recoveryName(ofComputer.id, conflicting));
      const plain = entries.replaceAll("changetype: add\n", "");
      await domain.ldb("ldbadd", "--relax", writeFile(directory, "conflicts.ldif", plain));
      await domain.ldap("ldapdelete", [recoveryName(first(keyDeleted).id, computerName(keyDeleted.computer))]);
      await domain.ldap("ldapdelete", ["-r", computerName(computerDeleted.computer)]);
    }, 180_000);
    afterAll(async () => {
      await domain?.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    test("every export gives each key with its computer, those of conflicts and of what was deleted, too", async () => {
      const all = linesOf([...computers, keyDeleted, computerDeleted, keyConflict, computerConflict]);
      const texts = await exportsOf(theDomain(), directory);
      expect(texts).toHaveLength(11);
      for (const [name, text] of texts) {
        expect([name, sorted(await linesIn(writeFile(directory, "export", text)))]).toEqual([name, sorted(all)]);
      }
    });

    test("what ldapmodify is given and what it says gives the same keys", async () => {
      const all = sorted(linesOf([...computers, keyDeleted, computerDeleted]));
      expect(sorted(await linesIn(join(directory, "entries.ldif")))).toEqual(all);
      expect(sorted(await linesIn(writeFile(directory, "said", said)))).toEqual(all);
    });

    test("a TPM's password hash comes with its computer, from the computer's own entry and from a TPM object's back link", async () => {
      const hash = (byte: number): string => Buffer.alloc(20, byte).toString("base64");
      const base = computersUnit.replace("OU=PCs,", "");
      const tpm = `CN=0a1b2c,CN=TPM Devices,${base}`;
      const computer = (name: string): string =>
        `dn: ${computerName(name)}\nchangetype: add\nobjectClass: computer\nsAMAccountName: ${name}$\n`;
      await add(
        "tpm.ldif",
        `${computer("PC-TPM-1")}msTPM-OwnerInformation: ${hash(7)}\n\n` +
          `dn: CN=TPM Devices,${base}\nchangetype: add\nobjectClass: msTPM-InformationObjectsContainer\n\n` +
          `dn: ${tpm}\nchangetype: add\nobjectClass: msTPM-InformationObject\nmsTPM-OwnerInformation: ${hash(8)}\n\n` +
          `${computer("PC-TPM-2")}msTPM-TpmInformationForComputer: ${tpm}\n\n`,
      );
      const wanted = "(msTPM-OwnerInformation=*)";
      for (const text of [
        await theDomain().ldap("ldapsearch", ["-b", base, wanted, "*", "msTPM-TpmInformationForComputerBL"]),
        await theDomain().ldb("ldbsearch", wanted),
      ]) {
        const found: unknown[] = [];
        for await (const record of readRecoveryFile(writeFile(directory, "tpm.ldf", text)))
          if (record.tpmPasswordHash !== undefined)
            found.push(`${record.computerName} ${revealSecret(record.tpmPasswordHash)}`);
        expect(new Set(found)).toEqual(new Set([`PC-TPM-1 ${hash(7)}`, `PC-TPM-2 ${hash(8)}`]));
      }
    });

    test("an account without the right to read passwords is told of it, with the count", async () => {
      await theDomain().tool("user", "create", "blind", "Secret-Pass-1");
      const found = await theDomain().ldb("ldbsearch", "(sAMAccountName=blind)", "objectSid");
      const sid = /^objectSid: (\S+)$/m.exec(found)?.[1] ?? "";
      const right = `(OA;CIIO;RPLCLO;;ea715d30-8f53-40d0-bd1e-6109186d782c;${sid})`;
      await theDomain().tool("dsacl", "set", `--objectdn=${computersUnit}`, `--sddl=${right}`, "--action=allow");
      const text = await theDomain().ldap(
        "ldapsearch",
        ["-b", computersUnit, "(objectClass=msFVE-RecoveryInformation)"],
        "blind",
      );
      const count = linesOf([...computers, keyConflict, computerConflict]).length;
      await expect(readAll(writeFile(directory, "blind.ldif", text))).rejects.toThrow(
        `none of the ${count} recovery objects has a readable password: the account that exported them may lack the right`,
      );
    });
  },
);
