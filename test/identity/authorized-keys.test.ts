import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readAuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { offerTo } from "../harness/key-attempt.ts";

const { publicKey } = generateSshKeyPair("a comment with blanks");
const [type = "", base64 = ""] = publicKey.split(" ");
const blob = Buffer.from(base64, "base64");

let directory = "";
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "pep-keys-")), "authorized-keys");
  mkdirSync(directory, { mode: 0o700 });
  onTestFinished(() => rmSync(join(directory, ".."), { recursive: true, force: true }));
});
const put = (name: string, text: string, mode = 0o600): void => {
  writeFileSync(join(directory, name), text, { mode });
  chmodSync(join(directory, name), mode);
};

describe("who may log in", () => {
  test("a listed key of the named user, whatever the case the name is typed in", () => {
    put("first.last@example.com", `# a comment\n\n  ${publicKey}  \r\n`);
    const keys = readAuthorizedKeys(directory);
    expect(keys.problems).toEqual([]);
    expect(offerTo(keys, "First.Last@Example.COM", blob)).toEqual({ kind: "probe" });
  });

  test.each([
    ["support", "not a key of this user"],
    ["nobody", "unknown user"],
    ["", "not a user name"],
    ["../support", "not a user name"],
    ["support/", "not a user name"],
    ["-support", "not a user name"],
    ["support\n", "not a user name"],
    ["ſupport", "not a user name"], // lower-cases to itself, upper-cases to SUPPORT
    ["a".repeat(65), "not a user name"],
    ["__proto__", "not a user name"],
    ["constructor", "unknown user"],
  ])("not %j with a key of somebody else", (user, refused) => {
    put("support", generateSshKeyPair("x").publicKey);
    expect(offerTo(readAuthorizedKeys(directory), user, blob)).toMatchObject({ reason: refused });
  });

  test("a name too long by its tail only is not the shorter name", () => {
    put("a".repeat(64), publicKey);
    expect(offerTo(readAuthorizedKeys(directory), "a".repeat(65), blob)).toMatchObject({ reason: "not a user name" });
  });
});

describe("what is refused in a file", () => {
  test.each([
    ["an option that is not supported", `no-pty ${publicKey}`, "the option no-pty is not supported"],
    ["a forced command", `command="x y" ${publicKey}`, "the option command is not supported"],
    ["principals without an authority", `principals="a" ${publicKey}`, "goes with cert-authority only"],
    ["a PIN asked of a key in a file", `verify-required ${publicKey}`, "only FIDO keys"],
    ["a quote that is not closed", `from="10.0.0.0/8 ${publicKey}`, "a quote is not closed"],
    ["a type without a key", type, "not base64"],
    ["broken base64", `${type} ${base64.slice(0, -3)}`, "base64"],
    ["a key cut short", `${type} ${blob.subarray(0, 45).toString("base64")}`, "short read"],
    ["another type than it says", `ecdsa-sha2-nistp256 ${base64}`, "another type"],
    ["a DSA key", `ssh-dss ${Buffer.from("\0\0\0\u0007ssh-dss", "latin1").toString("base64")}`, "not accepted"],
  ])("%s: that line, by number, and no other", (_what, line, problem) => {
    put("support", `${line}\n${publicKey}\n`);
    const keys = readAuthorizedKeys(directory);
    expect(keys.problems).toHaveLength(1);
    expect(keys.problems[0]).toContain(join(directory, "support:1: refused, "));
    expect(keys.problems[0]).toContain(problem);
    expect(offerTo(keys, "support", blob)).toEqual({ kind: "probe" });
  });

  test.each([
    ["group may write", 0o620],
    ["others may write", 0o602],
  ])("the whole file when %s it", (_who, mode) => {
    put("support", publicKey, mode);
    const keys = readAuthorizedKeys(directory);
    expect(keys.problems).toEqual([expect.stringContaining("group or others may write it")]);
    expect(offerTo(keys, "support", blob)).toHaveProperty("reason");
  });

  test("a symbolic link, a folder, a name that is no user's, a huge file", () => {
    put("real", publicKey);
    symlinkSync(join(directory, "real"), join(directory, "link"));
    mkdirSync(join(directory, "folder"));
    put("Upper", publicKey);
    put(".hidden", publicKey);
    put("huge", `${publicKey}\n`.repeat(10_000));
    const keys = readAuthorizedKeys(directory);
    expect(keys.problems.map((problem) => problem.replace(directory, "")).sort()).toEqual([
      "/.hidden: skipped, its name is not a user's name in lower case",
      "/Upper: skipped, its name is not a user's name in lower case",
      "/folder: refused, it is a folder, not a regular file",
      "/huge: refused, it is larger than 262144 bytes",
      expect.stringContaining("/link: refused, it is a symbolic link; run: cp -pL "),
    ]);
    expect(offerTo(keys, "link", blob)).toHaveProperty("reason");
    expect(offerTo(keys, "upper", blob)).toHaveProperty("reason");
  });

  test.runIf(process.geteuid?.() === 0)("a file that belongs to another account", () => {
    put("support", publicKey);
    chownSync(join(directory, "support"), 65_534, 65_534);
    const keys = readAuthorizedKeys(directory);
    expect(keys.problems).toEqual([expect.stringContaining("belongs to user id 65534")]);
  });
});

describe("reading again", () => {
  test("new keys count from then on, removed ones no more, and the digest changes", () => {
    put("support", publicKey);
    const keys = readAuthorizedKeys(directory);
    const before = keys.digest;
    expect(keys.reload()).toEqual([]);
    expect(keys.digest).toBe(before);
    put("other", publicKey);
    rmSync(join(directory, "support"));
    expect(offerTo(keys, "support", blob)).toEqual({ kind: "probe" });
    keys.reload();
    expect(keys.digest).not.toBe(before);
    expect(offerTo(keys, "support", blob)).toMatchObject({ reason: "unknown user" });
    expect(offerTo(keys, "other", blob)).toEqual({ kind: "probe" });
  });

  test("a folder that is missing or writable by others never replaces what is in force", () => {
    put("support", publicKey);
    const keys = readAuthorizedKeys(directory);
    chmodSync(directory, 0o777);
    expect(() => keys.reload()).toThrow("group or others may write it");
    rmSync(directory, { recursive: true });
    expect(() => keys.reload()).toThrow("can't be used");
    expect(offerTo(keys, "support", blob)).toEqual({ kind: "probe" });
  });
});
