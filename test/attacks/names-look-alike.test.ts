/*
 * ATTACK: a computer joins the site under the name of another with a character in it that shows no ink (a Hangul filler, a
 *         variation selector, a braille blank), or somebody types such a name into a request for approval.
 * DANGER: two rows look the same: the wrong disk's key is read out, or an approver agrees to another computer than they read.
 * EXPECT: such a name is neither imported nor accepted where one is typed.
 */
import { expect, test } from "vitest";
import { decode, outcome, withEntries } from "../authorization/roles-text.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { readAll, writeFile } from "../import/recovery-data.ts";
import { inkless } from "../model/inkless.ts";

const roles = decode(withEntries("Get-RecoveryKeys"));
const row = (name: string): string =>
  `ComputerName,PasswordID,RecoveryPassword\n${name},00FB8673-8B42-C835-484F-3E32248C1E89,490270-696377-450109-664092-596629-028820-126104-257345\n`;
const imported = (text: string): ReturnType<typeof readAll> =>
  readAll(writeFile(temporaryDirectory(), "keys.csv", text));

test.each(inkless)("a name with %j is not imported, at its end or within", async (character) => {
  for (const name of [`DEMO-PC-0${character}1`, `DEMO-PC-01${character}`]) {
    // A byte order mark, a soft hyphen or a blank at an end may be taken off before: then it is the plain name.
    const records = await imported(row(name)).catch((error: unknown) => String(error));
    if (typeof records === "string") expect(records).toContain("line 2");
    else expect(records.map(({ computerName }) => computerName)).toEqual(["DEMO-PC-01"]);
  }
});

test.each(inkless)("a name with %j is not accepted where one is typed", (character) => {
  for (const name of [`DEMO-PC-0${character}1`, `DEMO-PC-01${character}`, `PC-1,DEMO-PC-01${character}`]) {
    expect(outcome(roles, `Get-RecoveryKeys -ComputerName ${name}`)).not.toContain("accepted");
    expect(outcome(roles, `Get-RecoveryKeys -ComputerName '${name}'`)).not.toContain("accepted");
  }
});

test("names in letters of any script are imported and accepted", async () => {
  for (const name of ["büro-7", "日本語", "ПК-1", "नमस्ते", "עברית", "คอมพิวเตอร์", "한국어-1", "မြန်မာ", "ကမ္ဘာ", "ភ្នំពេញ"]) {
    expect((await imported(row(name))).map(({ computerName }) => computerName)).toEqual([name]);
    expect(outcome(roles, `Get-RecoveryKeys -ComputerName ${name}`)).toContain("accepted");
  }
});
