/*
 * ATTACK  A pipe stands where the roles, a key, the configuration, a user's keys or any other file of a data directory should be, or where a
 *         new one will be written, and nobody is at its other end. Then SIGHUP, or a start, and SIGTERM.
 * DANGER  The server waits in a system call: it serves nobody, and hears no signal, for as long as the pipe stands there.
 * EXPECT  A running server says what it found, keeps what was in force, serves and ends when told to. A start refuses at once, or needs
 *         nothing of that file. `pep doctor` and `pep audit verify` come to an end.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { launch, makeDemo, pep, root, startEndpoint } from "../harness/endpoint.ts";
import { shareOf } from "../harness/share.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const putPipe = (path: string): void => {
  rmSync(path, { force: true });
  execFileSync("mkfifo", ["-m", "600", path]);
};

test("a running server reads no pipe on SIGHUP", { timeout: 30_000 }, async () => {
  const endpoint = await startEndpoint();
  putPipe(join(endpoint.dataDirectory, "jea-roles.json"));
  putPipe(join(endpoint.dataDirectory, "authorized-keys", "guest"));
  endpoint.signal("SIGHUP");
  await vi.waitFor(() => expect(endpoint.stderr()).toMatch(/jea-roles\.json can't be used: it is a pipe/), {
    timeout: 10_000,
  });
  expect(endpoint.stderr()).toMatch(/guest: refused, it is a pipe/);
  expect((await endpoint.ssh("support", "Get-Command")).status).toBe(0);
  expect(endpoint.events()).toContainEqual(expect.objectContaining({ type: "configuration-refused", what: "roles" }));
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
});

test.each(["jea-roles.json", "endpoint.json", "host-key", "log-key", "demo/master-key", "state/elevation.ndjson"])(
  "a start with a pipe for %s is refused at once, and so said by doctor",
  { timeout: 30_000 },
  async (name) => {
    const dataDirectory = join(temporaryDirectory(), "pep");
    await makeDemo(dataDirectory);
    putPipe(join(dataDirectory, name));
    const { status, stderr } = await pep(["serve", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"]);
    expect(stderr).toContain("it is a pipe, not a regular file");
    expect(status).not.toBe(0);
    if (name.startsWith("state/")) return; // doctor leaves the approvals to the server
    const examined = await pep(["doctor", "--data-dir", dataDirectory]);
    expect(examined.stdout).toContain("it is a pipe, not a regular file");
    expect(examined.status).toBe(1);
  },
);

/** Files that the server writes anew beside the old one. */
const beside = ["audit/checkpoint.new", "state/elevation.ndjson.new"];

/** `hangs`: neither listened nor ended, or did not end when told to. */
type Outcome = "serves" | "refuses" | "hangs";

const longMs = 15_000;

const startAndStop = async (dataDirectory: string): Promise<Outcome> => {
  const launcher = join(root, "dist", "bin", "pep");
  const child = spawn(launcher, ["serve", "--demo", "--data-dir", dataDirectory, "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = new Promise<Outcome>((resolve) => child.once("exit", () => resolve("refuses")));
  const listens = new Promise<Outcome>((resolve) => child.stdout.once("data", () => resolve("serves")));
  const hangs = new Promise<Outcome>((resolve) => setTimeout(() => resolve("hangs"), longMs).unref());
  const outcome = await Promise.race([exited, listens, hangs]);
  child.kill("SIGTERM");
  return (await Promise.race([exited, hangs])) === "hangs" ? "hangs" : outcome;
};

test("no file of a data directory that is a pipe holds up a start, its end, doctor or verify", async () => {
  const used = join(temporaryDirectory(), "pep");
  await makeDemo(used);
  const endpoint = await launch({ dataDirectory: used });
  expect((await endpoint.ssh("support", "Get-Command")).status).toBe(0);
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  const files = readdirSync(used, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(used, join(entry.parentPath, entry.name)))
    // Of the demo's users one is enough.
    .filter((name) => !/^(demo\/keys|authorized-keys)\//.test(name) || name.includes("support"));
  expect(files.length).toBeGreaterThan(15);
  const outcomes: Record<string, Outcome> = {};
  // Told apart, so that a start which always fails is no success.
  const known = { "audit/checkpoint": "refuses", "audit/rescue-space": "serves", "audit/checkpoint.new": "serves" };
  for (const name of new Set([...Object.keys(known), ...shareOf([...files, ...beside], 8)])) {
    const dataDirectory = join(temporaryDirectory(), "pep");
    cpSync(used, dataDirectory, { recursive: true });
    putPipe(join(dataDirectory, name));
    outcomes[name] = await startAndStop(dataDirectory);
    for (const look of [["audit", "verify"], ["doctor"]]) {
      const { status } = await pep([...look, "--data-dir", dataDirectory]);
      expect([0, 1], `${look.join(" ")} with a pipe for ${name}`).toContain(status);
    }
  }
  expect(Object.entries(outcomes).filter(([, outcome]) => outcome === "hangs")).toEqual([]);
  expect(outcomes).toMatchObject(known);
}, 600_000);
