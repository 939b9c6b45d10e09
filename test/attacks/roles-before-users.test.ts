/*
 * ATTACK  The roles that come with the product have users: support, exporter, auditor. Somebody who can write one file plants a key
 *         under `authorized-keys/exporter`; or an administrator gives a colleague the user name `auditor`, and thinks no more of it.
 * DANGER  That user is the bulk exporter, or the reviewer, at once, and no administrator ever decided it.
 * EXPECT  In a directory of `pep init` nobody has a role. The role capabilities are there to be given, by `pep users add` or by hand;
 *         a role is given to nobody who could not log in, and it is on the record before it counts.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commands } from "../../commands/index.ts";
import { loadRolesFile } from "../../server/authorization/roles-file.ts";
import { pep, root, run, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const shipped = loadRolesFile(join(root, "jea-roles.json"), commands);

interface Installed {
  readonly dataDirectory: string;
  readonly key: string;
}

/** A data directory as an administrator makes one, and a key of somebody's. */
const install = async (): Promise<Installed> => {
  const folder = temporaryDirectory();
  const dataDirectory = join(folder, "data");
  const made = await pep(["init", "--data-dir", dataDirectory]);
  expect(made.status, made.stderr).toBe(0);
  const key = join(folder, "key");
  expect((await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])).status).toBe(0);
  return { dataDirectory, key };
};

const start = async ({ dataDirectory, key }: Installed) => {
  const endpoint = await startEndpoint({ dataDirectory, installed: true });
  const options = ["-F", "none", "-i", key, "-p", String(endpoint.port), "-o", "StrictHostKeyChecking=no"];
  const ssh = (user: string, line: string) =>
    run("ssh", [...options, "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", `${user}@127.0.0.1`, line]);
  return { endpoint, ssh };
};

test("the name of a shipped user gives a planted key no role", { timeout: 60_000 }, async () => {
  const installed = await install();
  const { dataDirectory, key } = installed;
  for (const user of shipped.users) {
    writeFileSync(join(dataDirectory, "authorized-keys", user), readFileSync(`${key}.pub`), { mode: 0o600 });
  }
  const { ssh } = await start(installed);
  expect(await ssh("exporter", "Get-RecoveryKeys -raw")).toMatchObject({ status: 127, stdout: "" });
  const everyones = commands.filter(({ forEveryone }) => forEveryone).map(({ name }) => name);
  for (const user of shipped.users) {
    const { status, stdout } = await ssh(user, "Get-Command -Format json");
    expect(status, user).toBe(0);
    const names = (JSON.parse(stdout) as { readonly Name: string }[]).map(({ Name }) => Name); // our own rows
    expect(names.toSorted(), user).toEqual(everyones.toSorted());
  }
});

test("the role capabilities are there to be given", async () => {
  const { dataDirectory } = await install();
  const roles = loadRolesFile(join(dataDirectory, "jea-roles.json"), commands);
  expect(roles.users).toEqual([]);
  expect(roles.file.roleCapabilities).toEqual(shipped.file.roleCapabilities);
  expect(roles.session).toEqual(shipped.session);
  const tested = await pep(["roles", "test", "--data-dir", dataDirectory]);
  expect(tested.status).toBe(0);
  expect(tested.stdout).toMatch(/warning: line \d+, roleDefinitions: nobody has a role.*pep users add/);
  expect(tested.stdout.split("\n").filter((line) => line.includes("nobody"))).toHaveLength(1);
});

test("users add gives a key and a role, on the record, and that role alone", { timeout: 60_000 }, async () => {
  const installed = await install();
  const { dataDirectory, key } = installed;
  const before = readFileSync(join(dataDirectory, "jea-roles.json"), "utf8");
  const added = await pep([
    "users",
    "add",
    "Alice",
    "--key",
    `${key}.pub`,
    "--role",
    "operator",
    "--data-dir",
    dataDirectory,
  ]);
  expect(added.status, added.stderr).toBe(0);
  const after = readFileSync(join(dataDirectory, "jea-roles.json"), "utf8");
  // Nothing but the one line: an administrator's own layout stays.
  expect(after.split("\n").filter((line) => !before.split("\n").includes(line))).toEqual([
    '  "roleDefinitions": {',
    '    "user:alice": { "roleCapabilities": ["operator"] }',
  ]);
  const { endpoint, ssh } = await start(installed);
  expect(await ssh("alice", "verify-cert -raw")).toMatchObject({ stdout: "1\n" });
  expect(await ssh("alice", "Get-RecoveryKeys -raw")).toMatchObject({ status: 2 });
  // A second role, while the server runs.
  const more = await pep(["users", "add", "alice", "--role", "auditor", "--data-dir", dataDirectory]);
  expect(more.stderr).toContain(`kill -HUP ${endpoint.pid}\n`);
  expect((await ssh("alice", "Get-Session")).status).toBe(127);
  endpoint.signal("SIGHUP");
  await expect.poll(() => endpoint.stderr()).toContain("reloaded");
  expect((await ssh("alice", "Get-Session")).status).toBe(0);
  const { stdout } = await run("ssh-keygen", ["-l", "-f", `${key}.pub`]);
  expect(endpoint.events().filter(({ type }) => type === "user-added")).toEqual([
    {
      type: "user-added",
      localUser: expect.any(String),
      user: "alice",
      keyFingerprints: [stdout.split(" ")[1]],
      roleCapabilities: ["operator"],
    },
    {
      type: "user-added",
      localUser: expect.any(String),
      user: "alice",
      keyFingerprints: [],
      roleCapabilities: ["auditor"],
    },
  ]);
});

const refusals: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  "a role for somebody without a key": [["mallory", "--role", "exporter"], /no key in authorized-keys.*--key/s],
  "a role that is not there": [
    ["alice", "--key", "KEY.pub", "--role", "Operator"],
    /no role capability Operator.*operator, exporter/,
  ],
  "a private key": [["alice", "--key", "KEY"], /private key.*\.pub/],
  "a file without a key": [["alice", "--key", "EMPTY"], /holds no key/],
  "a key that is refused at a log-in": [["alice", "--key", "OPTION"], /no-such-option/],
  neither: [["alice"], /--key FILE.*--role ROLE/],
  "a name with a path in it": [["../alice", "--key", "KEY.pub"], /user's name/],
};

test.each(Object.entries(refusals))("users add refuses %s, and changes nothing", async (_what, [args, words]) => {
  const { dataDirectory, key } = await install();
  const option = join(dataDirectory, "..", "option.pub");
  writeFileSync(option, `no-such-option ${readFileSync(`${key}.pub`, "utf8")}`);
  const empty = join(dataDirectory, "..", "empty.pub");
  writeFileSync(empty, "# nothing\n");
  const roles = readFileSync(join(dataDirectory, "jea-roles.json"), "utf8");
  const given = args.map((arg) =>
    arg
      .replace(/^KEY/, key)
      .replace(/^OPTION$/, option)
      .replace(/^EMPTY$/, empty),
  );
  const { status, stderr } = await pep(["users", "add", ...given, "--data-dir", dataDirectory]);
  expect(status).toBe(2);
  expect(stderr).toMatch(words);
  expect(readFileSync(join(dataDirectory, "jea-roles.json"), "utf8")).toBe(roles);
  expect(existsSync(join(dataDirectory, "authorized-keys", "alice"))).toBe(false);
});
