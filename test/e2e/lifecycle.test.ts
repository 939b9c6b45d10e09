import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pep, run, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { takePort } from "../harness/free-port.ts";

const initialised = async (): Promise<string> => {
  const dataDirectory = join(temporaryDirectory(), "data");
  const { status, stderr } = await pep(["init", "--data-dir", dataDirectory]);
  expect(status, stderr).toBe(0);
  return dataDirectory;
};

const oneLine = (stderr: string): string => {
  expect(stderr.trimEnd().split("\n"), stderr).toHaveLength(1);
  return stderr.trimEnd();
};

test("init makes the data directory, and a second run changes nothing", async () => {
  const dataDirectory = await initialised();
  expect(readdirSync(dataDirectory).sort()).toEqual([
    "audit",
    "authorized-keys",
    "endpoint.json",
    "host-key",
    "host-key.pub",
    "jea-roles.json",
    "log-key",
    "log-key.pub",
    "site.sqlite",
    "state",
  ]);
  const { $schema } = JSON.parse(readFileSync(join(dataDirectory, "jea-roles.json"), "utf8"));
  // Editors complete from it, wherever the data directory lies.
  expect(JSON.parse(readFileSync(new URL($schema), "utf8"))).toHaveProperty("properties.roleCapabilities");
  expect(statSync(dataDirectory).mode & 0o777).toBe(0o700);
  for (const file of ["host-key", "log-key", "endpoint.json", "site.sqlite"]) {
    expect(statSync(join(dataDirectory, file)).mode & 0o077, file).toBe(0);
  }
  expect(existsSync(`${dataDirectory}.master-key`)).toBe(true);
  const before = readFileSync(join(dataDirectory, "host-key"), "utf8");
  const again = await pep(["init", "--data-dir", dataDirectory]);
  expect(again.status).toBe(0);
  expect(again.stderr).toContain("nothing was changed");
  expect(again.stdout).toMatch(/host key fingerprint {2}SHA256:\S{43}\n/);
  expect(readFileSync(join(dataDirectory, "host-key"), "utf8")).toBe(before);
});

test("init prints what a client can hold the host key against before its first connection", async () => {
  const dataDirectory = join(temporaryDirectory(), "data");
  const { stdout } = await pep(["init", "--data-dir", dataDirectory]);
  const publicKey = readFileSync(join(dataDirectory, "host-key.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  expect(stdout).toContain(`known_hosts line      [127.0.0.1]:2222 ${publicKey}\n`);
  const [record = ""] = /\S+ IN SSHFP 4 2 [0-9a-f]{64}$/m.exec(stdout) ?? [];
  const keygen = "ssh-keygen";
  const theirs = await run(keygen, ["-r", hostname(), "-f", join(dataDirectory, "host-key.pub")]);
  expect(theirs.stdout.split("\n")).toContain(record.replace(". IN", " IN"));
});

test("serve prints one ready line on stdout, and the fingerprint is that of the host key", async () => {
  const endpoint = await startEndpoint();
  expect(endpoint.host).toBe("127.0.0.1");
  const { stdout } = await pep(["init", "--demo", "--data-dir", endpoint.dataDirectory]);
  expect(stdout).toContain(endpoint.fingerprint);
});

test("a port in use is one clear line and leaves nothing behind", async () => {
  const dataDirectory = await initialised();
  const { port, release } = await takePort();
  onTestFinished(release);
  const { status, stdout, stderr } = await pep(["serve", "--data-dir", dataDirectory, "--listen", `127.0.0.1:${port}`]);
  expect(status).not.toBe(0);
  expect(stdout).toBe("");
  expect(oneLine(stderr)).toContain(`127.0.0.1:${port}`);
});

test.each([
  ["a host key that others can read", "host-key", (path: string) => chmodSync(path, 0o644), "chmod 600"],
  ["a host key that is no key", "host-key", (path: string) => writeFileSync(path, "nonsense"), "host key"],
  ["a missing host key", "host-key", (path: string) => rmSync(path), "it is missing; pep init makes one"],
  ["a configuration that is no JSON", "endpoint.json", (path: string) => writeFileSync(path, "{"), "not JSON"],
  [
    "a configuration with a misspelt name",
    "endpoint.json",
    (path: string) => writeFileSync(path, readFileSync(path, "utf8").replace("backupDirectory", "backupDirektory")),
    "backupDirektory",
  ],
  ["a configuration that others can write", "endpoint.json", (path: string) => chmodSync(path, 0o666), "chmod go-w"],
  ["a roles file that others can write", "jea-roles.json", (path: string) => chmodSync(path, 0o666), "chmod go-w"],
  [
    "a misspelt command in the roles",
    "jea-roles.json",
    (path: string) => writeFileSync(path, readFileSync(path, "utf8").replace("Get-RecoveryKeys", "Get-RecoveryKees")),
    "Get-RecoveryKees",
  ],
  ["a missing site database", "site.sqlite", (path: string) => rmSync(path), "site"],
])("%s: one clear line, an exit status, and no server", async (_, file, damage, says) => {
  const dataDirectory = await initialised();
  damage(join(dataDirectory, file));
  const { status, stdout, stderr } = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
  expect(status).not.toBe(0);
  expect(stdout).toBe("");
  expect(oneLine(stderr)).toContain(says);
});

test("a missing master key is a clear error, and init does not make another in its place", async () => {
  const dataDirectory = await initialised();
  rmSync(`${dataDirectory}.master-key`);
  const served = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
  expect(served.status).not.toBe(0);
  expect(oneLine(served.stderr)).toContain("master");
  const again = await pep(["init", "--data-dir", dataDirectory]);
  expect(again.status).not.toBe(0);
  expect(again.stderr).toContain("pep restore-cert");
  expect(existsSync(`${dataDirectory}.master-key`)).toBe(false);
});

test("--demo takes no directory that it did not make, and no address but loopback", async () => {
  const dataDirectory = temporaryDirectory();
  writeFileSync(join(dataDirectory, "thesis.txt"), "mine");
  const foreign = await pep(["serve", "--demo", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
  expect(foreign.status).toBe(4);
  expect(readdirSync(dataDirectory)).toEqual(["thesis.txt"]);
  const open = await pep(["serve", "--demo", "--data-dir", join(dataDirectory, "x"), "--listen", "0.0.0.0:0"]);
  expect(open.status).toBe(2);
  expect(existsSync(join(dataDirectory, "x"))).toBe(false);
});

test("a second server on the same data directory is refused", async () => {
  const endpoint = await startEndpoint();
  const second = await pep(["serve", "--demo", "--data-dir", endpoint.dataDirectory, "--listen", "127.0.0.1:0"]);
  expect(second.status).not.toBe(0);
  expect(oneLine(second.stderr)).toContain(`process ${endpoint.pid}`);
});

test("SIGTERM ends the server cleanly, on the record, also with a session at its prompt", async () => {
  const endpoint = await startEndpoint();
  const terminal = endpoint.terminal("support", { columns: 80, rows: 24 });
  await terminal.waitFor("support@pep");
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  await terminal.exited;
  expect(endpoint.events().at(-1)).toEqual({ type: "server-stopped", reason: "SIGTERM" });
  expect(endpoint.events().filter(({ type }) => type === "session-ended")).toHaveLength(1);
});

test("SIGHUP replaces good roles by good ones, and never by broken ones", async () => {
  const endpoint = await startEndpoint();
  const path = join(endpoint.dataDirectory, "jea-roles.json");
  const shipped = readFileSync(path, "utf8");
  expect((await endpoint.ssh("certadmin", "verify-cert -raw")).stdout).toBe("1\n");

  writeFileSync(path, shipped.replace("verify-cert", "verify-sert"));
  endpoint.signal("SIGHUP");
  await expect.poll(() => endpoint.stderr()).toContain("kept the roles in force");
  expect((await endpoint.ssh("certadmin", "verify-cert -raw")).stdout).toBe("1\n");

  const roles = JSON.parse(shipped);
  delete roles.roleDefinitions["user:certadmin"];
  writeFileSync(path, JSON.stringify(roles));
  endpoint.signal("SIGHUP");
  await expect.poll(() => endpoint.stderr()).toContain("reloaded");
  expect((await endpoint.ssh("certadmin", "verify-cert -raw")).status).toBe(127);
  const types = endpoint.events().map(({ type }) => type);
  expect(types).toContain("configuration-refused");
});

test("the command line says what it can do, and what it does not know", async () => {
  expect((await pep(["--help"])).stdout).toContain("pep import");
  expect((await pep(["import", "--help"])).stdout).toContain("--skip-invalid");
  const unknown = await pep(["frobnicate"]);
  expect(unknown.status).toBe(2);
  expect(oneLine(unknown.stderr)).toContain("frobnicate");
  const option = await pep(["serve", "--insecure"]);
  expect(option.status).toBe(2);
  expect(oneLine(option.stderr)).toContain("--insecure");
});
