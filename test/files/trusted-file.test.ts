import { chmodSync, chownSync, linkSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mountedSecret, openFile, ownSecret, type FileRule } from "../../server/files/judge.ts";
import { readTrusted, readTrustedSync } from "../../server/files/trusted-file.ts";
import { readSecret } from "../../server/site-database/sql-server/secret-file.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const service = 65_534;
const isRoot = process.geteuid?.() === 0;
const nowhere = { resolvePath: (path: string) => path, credentialsDirectory: undefined };

/** As the account that a unit or a pod runs the server under. */
const asService = <T>(act: () => T): T => {
  process.setegid?.(service);
  process.seteuid?.(service);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
};

const put = (path: string, content: string, mode: number, owner: readonly [number, number] = [0, 0]): void => {
  writeFileSync(path, content);
  chownSync(path, ...owner);
  chmodSync(path, mode);
};

const newFolder = (mode: number): string => {
  const folder = temporaryDirectory();
  chmodSync(folder, mode);
  return folder;
};

const read = (path: string, rule: FileRule): string => readTrustedSync(path, rule).toString("utf8");

describe.runIf(isRoot)("what others put there for us", () => {
  /** As kubelet lays a secret out: a sticky folder that everybody may write, links in it, a folder for each version. */
  const mountSecret = (group: number, mode: number): string => {
    const folder = newFolder(group === 0 ? 0o1777 : 0o3777);
    const version = join(folder, "..2026_11_28_20_00_00.123456789");
    mkdirSync(version);
    chmodSync(version, group === 0 ? 0o755 : 0o2755);
    put(join(version, "secret"), "Geheimnis\n", mode, [0, group]);
    symlinkSync("..2026_11_28_20_00_00.123456789", join(folder, "..data"));
    symlinkSync("..data/secret", join(folder, "secret"));
    return join(folder, "secret");
  };

  test("a secret of Kubernetes, mounted for root", async () => {
    const path = mountSecret(0, 0o400);
    expect(read(path, mountedSecret("key", "owner"))).toBe("Geheimnis\n");
    expect(await readSecret({ file: path }, nowhere)).toBe("Geheimnis");
  });

  test("a secret of Kubernetes, mounted for the group of a pod that is not root's", () => {
    const path = mountSecret(service, 0o440);
    expect(asService(() => read(path, mountedSecret("key", "owner")))).toBe("Geheimnis\n");
    expect(asService(() => read(path, mountedSecret("key", "group")))).toBe("Geheimnis\n");
    // Root needs no group to read what is its own.
    expect(() => read(path, mountedSecret("key", "owner"))).toThrow(/others may read it; run: chmod 600 /);
  });

  test("and not when everybody may read it, or when a link of it is another account's", () => {
    const open = mountSecret(service, 0o444);
    expect(() => asService(() => read(open, mountedSecret("key", "owner")))).toThrow(/run: chmod o= /);
    const planted = mountSecret(0, 0o400);
    lchownSync(join(planted, "..", "..data"), service, service);
    expect(() => read(planted, mountedSecret("key", "owner"))).toThrow("is not followed");
  });

  test("a credential of systemd, with an access list and without", () => {
    const folder = newFolder(0o755);
    const path = join(folder, "master-key");
    // With an access list, its mask stands where the group's bits are.
    put(path, "key", 0o440);
    expect(read(path, ownSecret("master key"))).toBe("key");
    put(path, "key", 0o400, [service, service]);
    expect(asService(() => read(path, ownSecret("master key")))).toBe("key");
  });

  test("certificates of certbot", () => {
    const folder = newFolder(0o755);
    for (const name of ["live", "live/endpoint", "archive", "archive/endpoint"]) {
      mkdirSync(join(folder, name));
      chmodSync(join(folder, name), name.includes("/") ? 0o755 : 0o700);
    }
    for (const [name, mode] of [
      ["fullchain", 0o644],
      ["privkey", 0o600],
    ] as const) {
      put(join(folder, "archive", "endpoint", `${name}3.pem`), name, mode);
      symlinkSync(`../../archive/endpoint/${name}3.pem`, join(folder, "live", "endpoint", `${name}.pem`));
    }
    expect(read(join(folder, "live/endpoint/fullchain.pem"), openFile("certificate"))).toBe("fullchain");
    expect(read(join(folder, "live/endpoint/privkey.pem"), mountedSecret("key", "owner"))).toBe("privkey");
  });

  test("the message for a file of root's names what lets a service read it", () => {
    const folder = newFolder(0o755);
    put(join(folder, "host-key"), "key", 0o640, [0, service]);
    expect(() => asService(() => read(join(folder, "host-key"), ownSecret("host key")))).toThrow(
      `run: chown ${service} ${folder}/host-key && chmod 600 ${folder}/host-key`,
    );
  });
});

describe.runIf(isRoot)("a folder that others may write", () => {
  const roles = openFile("roles file");

  test.each([
    ["is everybody's and sticky, as /tmp", (folder: string) => chmodSync(folder, 0o1777)],
    ["is everybody's", (folder: string) => chmodSync(folder, 0o777)],
    ["is its group's", (folder: string) => chmodSync(folder, 0o775)],
    ["belongs to another account", (folder: string) => chownSync(folder, service, service)],
  ])("that %s can hold no second name of a file of root's", (_how, open) => {
    const folder = newFolder(0o755);
    put(join(folder, "ours"), "ours", 0o644);
    put(join(folder, "elsewhere"), "root's", 0o644);
    open(folder);
    expect(read(join(folder, "ours"), roles)).toBe("ours");
    linkSync(join(folder, "elsewhere"), join(folder, "roles"));
    expect(() => read(join(folder, "roles"), roles)).toThrow("2 names");
  });

  test("and is sticky may hold a link of ours with one name, and no folder of another account's on its way", () => {
    const shared = newFolder(0o1777);
    const ours = newFolder(0o755);
    put(join(ours, "file"), "ours", 0o644);
    symlinkSync(join(ours, "file"), join(shared, "link"));
    expect(read(join(shared, "link"), roles)).toBe("ours");
    linkSync(join(shared, "link"), join(shared, "second"));
    expect(() => read(join(shared, "second"), roles)).toThrow(
      /second on the way to it is not followed: it has 2 names/,
    );
    const theirs = join(shared, "theirs");
    mkdirSync(theirs);
    put(join(theirs, "file"), "root's, but there", 0o644);
    chownSync(theirs, service, service);
    symlinkSync(join(theirs, "file"), join(ours, "link"));
    expect(() => read(join(ours, "link"), roles)).toThrow(/theirs on the way to it is not trusted: it belongs to/);
  });
});

describe("what is no file, or too much of one", () => {
  const rule = openFile("list", 10);
  const why = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  /** Why both ways of reading refuse it. */
  const refusals = async (path: string): Promise<readonly string[]> => {
    const waiting = await readTrusted(path, rule).then(() => "", why);
    try {
      readTrustedSync(path, rule);
      return ["", waiting];
    } catch (error) {
      return [why(error), waiting];
    }
  };
  const twice = (words: string) => [expect.stringContaining(words), expect.stringContaining(words)];

  test("a device, a socket, a folder and a folder behind a link", async () => {
    const directory = temporaryDirectory();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(directory, "socket"), resolve));
    symlinkSync(directory, join(directory, "link"));
    expect(await refusals("/dev/zero")).toEqual(twice("it is a device"));
    expect(await refusals(join(directory, "socket"))).toEqual(twice("it is a socket"));
    expect(await refusals(directory)).toEqual(twice("it is a folder"));
    expect(await refusals(join(directory, "link"))).toEqual(twice("it is a folder"));
    await new Promise((resolve) => server.close(resolve));
  });

  test("one byte more than its rule says", async () => {
    const path = join(temporaryDirectory(), "list");
    writeFileSync(path, "0123456789");
    expect(readTrustedSync(path, rule).toString()).toBe("0123456789");
    writeFileSync(path, "0123456789a");
    expect(await refusals(path)).toEqual(twice("it is larger than 10 bytes"));
  });

  test("a file that holds more than it says, as one that grows while it is read", async () => {
    expect(await refusals("/proc/self/status")).toEqual(twice("it changed while it was read"));
  });

  test("a link that leads nowhere: the message names its end", () => {
    const directory = temporaryDirectory();
    symlinkSync(join(directory, "gone"), join(directory, "link"));
    let cause: unknown;
    try {
      readTrustedSync(join(directory, "link"), rule);
    } catch (error) {
      cause = error instanceof Error ? error.cause : undefined;
    }
    expect(String(cause)).toContain(join(directory, "gone"));
  });
});
