/*
 * ATTACK  Another account puts a key, a password, a roles file or a list of authorities in the place of ours: a file of its own, a link
 *         that is its own, a second name of a file of root's, a file in a folder that it may write.
 * DANGER  The attacker holds the host key and the log key, chooses the master key's password, or writes the roles.
 * EXPECT  Refused, with the path, what is wrong and the command that mends it. Links of root's are followed where certificate tools and
 *         mounted secrets put them, and for no key of our own.
 */
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, chownSync, lchownSync, linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { readCredentials } from "../../server/audit-forwarding/connection.ts";
import { readMasterKey } from "../../server/site-database/embedded/configured-master-key.ts";
import { readLogKey, readPrivateKey } from "../../server/endpoint/private-key.ts";
import { readSealingKey } from "../../server/identity/second-factor/sealing.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { withEntries } from "../authorization/roles-text.ts";

const nobody = 65_534;
const isRoot = process.geteuid?.() === 0;

interface Reader {
  readonly content: string | Buffer;
  /** Reads it as the product does. @throws when it is refused */
  readonly read: (path: string) => unknown;
}

const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
const keyLine = generateSshKeyPair("authority").publicKey;

const throwProblems = ({ problems }: { readonly problems: readonly string[] }): void => {
  if (problems.length > 0) throw new Error(problems.join("\n"));
};

// Only the paths are looked at.
const syslogOf = (paths: { readonly ca: string; readonly key: string }) =>
  readCredentials({ server: "siem", port: 6514, certificate: paths.ca, ...paths } as Parameters<
    typeof readCredentials
  >[0]);

const ownSecrets: Readonly<Record<string, Reader>> = {
  "the host key": {
    content: generateSshKeyPair("host").privateKey,
    read: (path) => readPrivateKey(path, "host key"),
  },
  "the log key": { content: pem, read: readLogKey },
  "the second factors' key": { content: Buffer.alloc(32, 7), read: readSealingKey },
  "the master key's password": {
    content: "Geheimnis-17-lang-genug!\n",
    read: (path) => readMasterKey({ masterKey: { passwordFile: path } }),
  },
};

const openFiles: Readonly<Record<string, Reader>> = {
  "the roles file": { content: withEntries("verify-cert"), read: (path) => loadRolesFile(path, commands) },
  "the authorities of certificates": {
    content: keyLine,
    read: (path) => throwProblems(readTrustAnchors({ trustedUserCAKeys: path, revokedKeys: undefined })),
  },
  "the list of revoked keys": {
    content: "# nobody\n",
    read: (path) => throwProblems(readTrustAnchors({ trustedUserCAKeys: undefined, revokedKeys: path })),
  },
};

const put = (reader: Reader, name = "file"): string => {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, reader.content, { mode: 0o600 });
  return path;
};

const swaps: Readonly<Record<string, readonly [(path: string) => void, RegExp]>> = {
  "belongs to another account": [(path) => chownSync(path, nobody, nobody), /user id 65534.*run: chown 0 /],
  "is a symbolic link": [
    (path) => {
      renameSync(path, `${path}.away`);
      symlinkSync(`${path}.away`, path);
    },
    /symbolic link; run: cp -pL .* && mv /,
  ],
  "has a second name": [(path) => linkSync(path, `${path}.other`), /2 names.*run: cp -pL /],
  "is readable for its group": [(path) => chmodSync(path, 0o640), /others may read it; run: chmod 600 /],
  "is writable for its group": [(path) => chmodSync(path, 0o620), /run: chmod /],
};

describe.runIf(isRoot).each(Object.entries(ownSecrets))("%s", (_name, reader) => {
  test("is read when it is ours alone", () => {
    expect(() => reader.read(put(reader))).not.toThrow();
  });

  test.each(Object.entries(swaps))("is refused when it %s", (_how, [swap, words]) => {
    const path = put(reader);
    swap(path);
    expect(() => reader.read(path)).toThrow(words);
    expect(() => reader.read(path)).toThrow(path);
  });

  test("is read as systemd hands credentials over, and not when that group is another", () => {
    const path = put(reader);
    chmodSync(path, 0o440);
    chownSync(path, 0, 0);
    expect(() => reader.read(path)).not.toThrow();
    chownSync(path, 0, nobody);
    expect(() => reader.read(path)).toThrow("others may read it");
  });
});

describe.runIf(isRoot).each(Object.entries(openFiles))("%s", (_name, reader) => {
  test.each([
    ["belongs to another account", (path: string) => chownSync(path, nobody, nobody), /user id 65534.*run: chown 0 /],
    ["is writable for its group", (path: string) => chmodSync(path, 0o664), /run: chmod go-w /],
  ] as const)("is refused when it %s", (_how, swap, words) => {
    const path = put(reader);
    swap(path);
    expect(() => reader.read(path)).toThrow(words);
  });

  test("is read through links of root's, as certificate tools make them", () => {
    const path = put(reader, "fullchain3.pem");
    const live = join(path, "..", "live");
    mkdirSync(live);
    symlinkSync("../fullchain3.pem", join(live, "fullchain.pem"));
    expect(() => reader.read(join(live, "fullchain.pem"))).not.toThrow();
  });

  test("is refused through a link of another account", () => {
    const path = put(reader);
    symlinkSync(path, `${path}.link`);
    lchownSync(`${path}.link`, nobody, nobody);
    expect(() => reader.read(`${path}.link`)).toThrow(/symbolic link .*\.link on the way.*run: chown -h 0 /);
  });

  test.each([
    [
      "belongs to another account",
      (folder: string) => chownSync(folder, nobody, nobody),
      /folder .* on the way.*chown 0 /,
    ],
    ["others may write", (folder: string) => chmodSync(folder, 0o777), /folder .* on the way.*chmod go-w /],
  ] as const)("is refused when a link leads through a folder that %s", (_how, open, words) => {
    const directory = temporaryDirectory();
    const folder = join(directory, "folder");
    mkdirSync(folder);
    writeFileSync(join(folder, "file"), reader.content, { mode: 0o600 });
    symlinkSync(join(folder, "file"), join(directory, "link"));
    expect(() => reader.read(join(directory, "link"))).not.toThrow();
    open(folder);
    expect(() => reader.read(join(directory, "link"))).toThrow(words);
  });

  test("is refused in a folder that everybody may write, when it is a second name of a file of root's", () => {
    const path = put(reader);
    const shared = join(path, "..", "shared");
    mkdirSync(shared);
    chmodSync(shared, 0o1777);
    linkSync(path, join(shared, "file"));
    expect(() => reader.read(join(shared, "file"))).toThrow("2 names");
  });

  test("is refused when links lead in a circle", () => {
    const directory = temporaryDirectory();
    symlinkSync("b", join(directory, "a"));
    symlinkSync("a", join(directory, "b"));
    expect(() => reader.read(join(directory, "a"))).toThrow("without an end");
  });
});

/** As kubelet lays a secret out: a sticky folder that everybody may write, links in it, a folder for each version. */
const mountSecret = (files: Readonly<Record<string, string>>): string => {
  const folder = temporaryDirectory();
  chmodSync(folder, 0o1777);
  mkdirSync(join(folder, "..2026_11_28"), { mode: 0o755 });
  symlinkSync("..2026_11_28", join(folder, "..data"));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, "..2026_11_28", name), content, { mode: 0o400 });
    symlinkSync(`..data/${name}`, join(folder, name));
  }
  return folder;
};

test.runIf(isRoot)("the syslog key is read from a mounted secret, and not through a link of another account", () => {
  const folder = mountSecret({ "tls.key": pem, "ca.crt": "certificate" });
  const paths = { ca: join(folder, "ca.crt"), key: join(folder, "tls.key") };
  expect(syslogOf(paths).key).toBe(pem);
  lchownSync(join(folder, "..data"), nobody, nobody);
  expect(() => syslogOf(paths)).toThrow("not followed");
});
