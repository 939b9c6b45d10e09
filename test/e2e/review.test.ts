import { spawn } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pep, run, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** `ssh auditor 'Get-AuditEvent -Follow'`, running. */
const follow = (endpoint: Endpoint, options = "") => {
  const args = endpoint.sshArguments("auditor", ["-o", "LogLevel=ERROR"]);
  const child = spawn("ssh", [...args, `Get-AuditEvent -Follow -Format ndjson ${options}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, ended, types: () => [...output.matchAll(/"Type":"([a-z-]+)"/g)].map(([, type]) => type) };
};

const reviews = (endpoint: Endpoint) => endpoint.events().filter((event) => event.type === "review");

// Many processes one after the other: longer limits than usual, for busy machines.
test("an auditor lists sessions, reads one, verifies, exports, and a copy verifies elsewhere", async () => {
  const endpoint = await startEndpoint();
  const keys = await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Format json");
  const [{ PasswordId: keyId = "", RecoveryKey: recoveryKey = "" } = {}] = JSON.parse(keys.stdout);
  const listed = await endpoint.ssh("auditor", `Get-Session -KeyId ${keyId} -Format json`);
  expect(listed.status, listed.stderr).toBe(0);
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { User: "support", Keys: 1, Commands: 1, ExitStatus: 0, Mode: "exec" },
  ]);
  const [{ SessionId: sessionId = "" } = {}] = JSON.parse(listed.stdout);
  const table = await endpoint.ssh("auditor", "Get-Session -User support");
  expect(table.stdout).toMatch(/^SessionId +User/);
  expect(table.stderr).toMatch(/^1 session of 1 user, 1 key disclosed, 0 lines refused\.\nSessions: █/);

  const shown = await endpoint.ssh("auditor", `Get-Session ${sessionId}`);
  expect(shown.status).toBe(0);
  expect(shown.stdout).toContain(`keys=[{"keyId":"${keyId}","computerName":"DEMO-PC-01"}]`);
  expect(shown.stdout).not.toContain(recoveryKey);

  const verified = await endpoint.ssh("auditor", "Test-AuditLog");
  expect(verified.status, verified.stdout).toBe(0);
  expect(verified.stdout).toMatch(/^Result +\d+ events, 0 problems\.$/m);
  const exported = await endpoint.ssh("auditor", "Export-AuditLog");
  expect(exported.status, exported.stderr).toBe(0);
  expect(exported.stdoutBytes.includes(recoveryKey)).toBe(false);
  const elsewhere = temporaryDirectory();
  expect((await run("tar", ["xf", "-", "-C", elsewhere], { input: exported.stdoutBytes })).status).toBe(0);
  const publicKey = join(endpoint.dataDirectory, "log-key.pub");
  const copy = join(elsewhere, "pep-record");
  const claimed = await pep(["audit", "verify", "--data-dir", copy, "--public-key", publicKey]);
  expect(claimed.stdout).toMatch(/ 0 problems\.\nSigned: events 1 to /);
  expect(claimed.status).toBe(0);

  // A day later: nothing before the copy's checkpoint was changed.
  const checkpoint = readFileSync(join(copy, "audit", "checkpoint")).toString("base64");
  const since = await endpoint.ssh("auditor", `Test-AuditLog -SinceCheckpoint ${checkpoint}`);
  expect(since.stdout).toContain("Unchanged: the first");
  expect(reviews(endpoint).map(({ action }) => action)).toEqual(["list", "list", "show", "verify", "export", "verify"]);
  expect(new Set(reviews(endpoint).map(({ connectedUser }) => connectedUser))).toEqual(new Set(["auditor"]));
}, 120_000);

test("a record that was changed under the running server is found out: status 1", async () => {
  const endpoint = await startEndpoint();
  await endpoint.ssh("support", "verify-cert");
  const [segment = ""] = readdirSync(join(endpoint.dataDirectory, "audit", "log"));
  const path = join(endpoint.dataDirectory, "audit", "log", segment);
  const text = readFileSync(path, "utf8");
  // In place: the server goes on with the file that it has open.
  writeFileSync(path, text.replace('"command":"verify-cert"', '"command":"backup-crt"'));
  const { status, stdout } = await endpoint.ssh("auditor", "Test-AuditLog -Format json");
  expect(JSON.parse(stdout)[0]).toMatchObject({ Finding: "Problem" });
  expect(status).toBe(1);
}, 120_000);

test("what is followed comes live, a client that leaves ends it on the record, and a stop of the server ends it well", async () => {
  const endpoint = await startEndpoint();
  const leaving = follow(endpoint);
  const staying = follow(endpoint, "-Last 1");
  await expect.poll(() => reviews(endpoint)).toHaveLength(2);
  await endpoint.ssh("support", "verify-cert");
  await expect.poll(leaving.types).toContain("command-finished");
  await expect.poll(staying.types).toContain("command-finished");
  leaving.child.kill("SIGKILL");
  await expect
    .poll(() => endpoint.events().filter((event) => event.type === "command-finished"))
    .toContainEqual(expect.objectContaining({ command: "Get-AuditEvent", outcome: "stopped", exitStatus: 130 }));
  endpoint.signal("SIGTERM");
  expect(await endpoint.exited).toBe(0);
  await staying.ended;
  // Not by ssh's own status: a client that finds the server's goodbye behind its exit status says 255.
  const finished = endpoint.events().filter((event) => event.type === "command-finished");
  expect(finished).toContainEqual(
    expect.objectContaining({ command: "Get-AuditEvent", outcome: "succeeded", exitStatus: 0 }),
  );
}, 120_000);

test("at a screen: a list with its counts, events until Ctrl-C, and no file", async () => {
  const endpoint = await startEndpoint();
  const terminal = endpoint.terminal("auditor", { columns: 120, rows: 40 });
  await terminal.waitFor(/PS.*>\s*$/);
  await endpoint.ssh("support", "verify-cert");
  terminal.type("Get-Session -User support | Select-Object SessionId,User,Keys\r");
  await terminal.waitFor(/S-[0-9a-f]{16} +support +0/);
  terminal.type("Get-Session -User support\r");
  await terminal.waitFor(/1 session of 1 user, 0 keys disclosed/);
  terminal.type("Get-AuditEvent -Follow -Type command-finished\r");
  await terminal.waitFor(/Running/);
  await expect.poll(() => reviews(endpoint)).toHaveLength(3);
  await endpoint.ssh("support", "verify-cert");
  await terminal.waitFor(/command-finished +support/);
  terminal.type("\u0003");
  await terminal.waitFor(/exit status 130[^]*PS.*>\s*$/);
  terminal.type("Export-AuditLog\r");
  await terminal.waitFor(/A screen can't take a file/);
  const forced = await endpoint.ssh("auditor", "Export-AuditLog", { options: ["-tt"] });
  expect(forced.status).toBe(2);
  expect(forced.stderr).toContain("This answers a file, not text for a terminal");
}, 120_000);

test("an export taken while sessions run and the log grows verifies all the same", async () => {
  const endpoint = await startEndpoint();
  const terminal = endpoint.terminal("support", { columns: 80, rows: 24 });
  await terminal.waitFor(/PS.*>\s*$/);
  terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-01 -Format list\r");
  await terminal.waitFor(/1 row/);
  const busy = Promise.all(Array.from({ length: 6 }, () => endpoint.ssh("support", "verify-cert")));
  const exports = await Promise.all(Array.from({ length: 3 }, () => endpoint.ssh("auditor", "Export-AuditLog")));
  await busy;
  for (const { status, stdoutBytes } of exports) {
    expect(status).toBe(0);
    const elsewhere = temporaryDirectory();
    await run("tar", ["xf", "-", "-C", elsewhere], { input: stdoutBytes });
    const { stdout } = await pep(["audit", "verify", "--data-dir", join(elsewhere, "pep-record")]);
    expect(stdout).toContain(" 0 problems.");
  }
  // The whole directory, copied the same moment, says the same.
  const copy = join(temporaryDirectory(), "copy");
  cpSync(endpoint.dataDirectory, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") });
  expect((await pep(["audit", "verify", "--data-dir", copy])).stdout).toContain(" 0 problems.");
}, 120_000);
