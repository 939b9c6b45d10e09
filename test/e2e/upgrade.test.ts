import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, run, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** What `npm pack` would take, installed where no package can be found. */
const installCopy = (): string => {
  const folder = temporaryDirectory();
  for (const part of ["dist", "package.json", "jea-roles.json"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  return folder;
};

test("a running server needs nothing of its program's files, which an upgrade takes away under it", async () => {
  const folder = installCopy();
  const endpoint = await startEndpoint({ program: join(folder, "dist", "bin", "pep") });
  rmSync(join(folder, "dist", "server"), { recursive: true });
  mkdirSync(join(folder, "dist", "server"));

  const shown = await endpoint.ssh("support", "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason 'Lost PIN'");
  expect(shown.stdout, shown.stderr).toContain("DEMO-PC-01");
  const csv = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw -Format csv");
  expect(csv.stdout, csv.stderr).toMatch(/^PasswordId,RecoveryKey,/);
  const verified = await endpoint.ssh("certadmin", "verify-cert -raw");
  expect(verified.stdout, verified.stderr).toBe("1\n");
  const backup = await endpoint.ssh("certadmin", "backup-cert -Name upgrade", { input: "A-long-passphrase-17!\n" });
  expect(backup.status, backup.stderr).toBe(0);
  const listed = await endpoint.ssh("auditor", "Get-AuditEvent -Last 3 -Format ndjson");
  expect(listed.status, listed.stderr).toBe(0);

  const terminal = endpoint.terminal("support", { columns: 80, rows: 24 });
  await terminal.waitFor("PS support@pep>");
  terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-02 -Reason 'Lost PIN'\r");
  await terminal.waitFor("Read back, group 1");
  terminal.type("\u001b");
  await terminal.waitFor(/PS support@pep>\s*$/);
  terminal.type("exit\r");
  await terminal.exited;
});

test("the built program needs no package but tedious, and says its version without one", async () => {
  const folder = installCopy();
  const { status, stdout, stderr } = await run(process.execPath, [
    join(folder, "dist", "server", "main.js"),
    "--version",
  ]);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^pep \d+\.\d+\.\d+\n$/);
});
