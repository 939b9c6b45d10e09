/*
 * ATTACK  An administrator starts the server as an account of its own, which is good practice, and doesn't know that people's screens
 *         then have that account too. Code that got out of a UI process reads the master key.
 * DANGER  Every recovery key, through a weakness that nobody decided to accept.
 * EXPECT  No screen starts, and its user is told what the administrator must do; command lines work. Accepted by name, screens start.
 *         A demo accepts it, with a warning. doctor and the server's own output name it.
 */
import { spawn, spawnSync } from "node:child_process";
import { chownSync, globSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { examineScreens } from "../../server/cli/doctor.ts";
import { pep, root, run } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { openTerminal } from "../harness/terminal.ts";

/** nobody: an account that has a name. */
const account = 65_534;
const asAccount = ["--reuid", String(account), "--regid", String(account), "--clear-groups", "--"];
/** Only root can start a server as somebody else, where that account may read the program. */
const canTry =
  process.getuid?.() === 0 &&
  spawnSync("setpriv", [...asAccount, process.execPath, join(root, "dist", "server", "main.js"), "--help"]).status ===
    0;

const launcher = join(root, "dist", "bin", "pep");

/** A demo's data directory, made into a real one's: its master key outside. */
const dataDirectoryWith = async (userInterface: object): Promise<string> => {
  const folder = temporaryDirectory();
  const directory = join(folder, "pep");
  expect((await pep(["init", "--demo", "--data-dir", directory])).status).toBe(0);
  renameSync(join(directory, "demo", "master-key"), join(folder, "master-key"));
  const file = join(directory, "endpoint.json");
  const { demo: _, ...written } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  const masterKey = { file: join(folder, "master-key") };
  writeFileSync(
    file,
    JSON.stringify({ ...written, ...userInterface, masterKey, auditReserveMiB: 32, spareUiProcesses: 0 }),
  );
  for (const path of ["", ...globSync("**", { cwd: folder })]) chownSync(join(folder, path), account, account);
  return directory;
};

const serveAs = async (directory: string, more: readonly string[] = []) => {
  const server = spawn("setpriv", [
    ...asAccount,
    launcher,
    "serve",
    "--data-dir",
    directory,
    "--listen",
    "127.0.0.1:0",
    ...more,
  ]);
  onTestFinished(() => void server.kill("SIGKILL"));
  let said = "";
  server.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
  server.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  await expect.poll(() => said).toMatch(/^listening on /m);
  const port = /^listening on \S+:(\d+)/m.exec(said)?.[1] ?? "";
  const key = join(directory, "demo", "keys", "support");
  chownSync(key, 0, 0); // ssh takes no key of somebody else
  const options = ["-F", "none", "-i", key, "-p", port, "-o", "StrictHostKeyChecking=no"];
  const ssh = [...options, "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
  return { said: () => said, ssh };
};

const size = { columns: 100, rows: 24 };

test.runIf(canTry)("no screen starts in the server's own account, and command lines do", async () => {
  const { said, ssh } = await serveAs(await dataDirectoryWith({}));
  expect(said()).toMatch(/starts no screens/);
  const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
  await screen.waitFor("acceptSharedAccount");
  expect(await screen.exited).not.toBe(0);
  const line = await run("ssh", [...ssh, "support@127.0.0.1", "Get-Command -Format csv"]);
  expect(line.status).toBe(0);
  // Plain lines have no UI process.
  const plain = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size, { TERM: "dumb" });
  await plain.waitFor("Welcome, support");
  plain.type("exit\r");
  expect(await plain.exited).toBe(0);
});

test.runIf(canTry)("accepted by name, screens start", async () => {
  const accepting = { userInterface: { acceptSharedAccount: true } };
  const { said, ssh } = await serveAs(await dataDirectoryWith(accepting));
  const screen = openTerminal("ssh", ["-tt", ...ssh, "support@127.0.0.1"], size);
  await screen.waitFor("Welcome, support");
  await screen.waitFor("PS support@pep>");
  screen.type("exit\r");
  expect(await screen.exited).toBe(0);
  expect(said()).not.toMatch(/starts no screens/);
});

test.runIf(canTry)("a demo accepts it, with a warning", async () => {
  const folder = temporaryDirectory();
  chownSync(folder, account, account);
  const { said } = await serveAs(join(folder, "pep"), ["--demo"]);
  expect(said()).toMatch(/WARNING: this server is not root/);
});

test("pep init writes what a script accepted, and nothing by itself; doctor names both", async () => {
  const folder = temporaryDirectory();
  const written = async (name: string, ...flags: string[]): Promise<unknown> => {
    expect((await pep(["init", "--data-dir", join(folder, name), ...flags])).status).toBe(0);
    return JSON.parse(readFileSync(join(folder, name, "endpoint.json"), "utf8"));
  };
  expect(await written("accepting", "--accept-shared-account")).toHaveProperty(
    "userInterface.acceptSharedAccount",
    true,
  );
  expect(await written("silent")).not.toHaveProperty("userInterface");
  const finding = (acceptSharedAccount: boolean, uid: number) =>
    examineScreens(uid, { acceptSharedAccount, demo: false });
  expect(finding(false, 0)).toMatchObject({ passed: true });
  expect(finding(false, account)).toMatchObject({
    passed: false,
    finding: expect.stringContaining("starts no screens"),
  });
  expect(finding(true, account)).toMatchObject({ passed: false, finding: expect.stringContaining("its own account") });
});
