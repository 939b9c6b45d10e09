import { spawn, spawnSync } from "node:child_process";
import { chownSync, globSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { makeDemo, root } from "./endpoint.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** nobody: an account that has a name. */
export const account = 65_534;
const ids = ["--reuid", String(account), "--regid", String(account), "--clear-groups"];

/** Only root can start a server as somebody else, where that account may read the program. */
export const canTry =
  process.getuid?.() === 0 &&
  spawnSync("setpriv", [...ids, "--", process.execPath, join(root, "dist", "server", "main.js"), "--help"]).status ===
    0;

/** As systemd does with AmbientCapabilities= and CapabilityBoundingSet=. */
export const withCapabilities = (names: readonly string[], bounding: readonly string[] = names): readonly string[] => {
  const set = names.map((name) => `+${name}`).join(",");
  const limit = ["-all", ...bounding.map((name) => `+${name}`)].join(",");
  return ["--inh-caps", set, "--ambient-caps", set, "--bounding-set", limit];
};

/** A demo's data directory, made into a real one's: its master key outside. */
export const dataDirectoryWith = async (userInterface: object): Promise<string> => {
  const folder = temporaryDirectory();
  const directory = join(folder, "pep");
  await makeDemo(directory);
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

/** Serves it in that account. */
export const serveAs = async (
  directory: string,
  { more = [], rights = [] }: { readonly more?: readonly string[]; readonly rights?: readonly string[] } = {},
) => {
  const server = spawn("setpriv", [
    ...ids,
    ...rights,
    "--",
    join(root, "dist", "bin", "pep"),
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
  return { said: () => said, ssh, pid: server.pid ?? 0, end: () => server.kill("SIGTERM") };
};
