/*
 * ATTACK  A pipe stands where the roles, a key, the configuration or a user's keys should be, and nobody writes into it. Then SIGHUP, or a
 *         start, and SIGTERM.
 * DANGER  The server waits in a system call: it serves nobody, and hears no signal, for as long as the pipe stands there.
 * EXPECT  A running server says what it found, keeps what was in force, serves and ends when told to. A start refuses, at once.
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { pep, startEndpoint } from "../harness/endpoint.ts";
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
    expect((await pep(["init", "--demo", "--data-dir", dataDirectory])).status).toBe(0);
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
