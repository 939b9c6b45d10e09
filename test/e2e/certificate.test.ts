import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { startEndpoint, type Endpoint } from "../harness/endpoint.ts";

const password = "Correct-Horse-77-Battery";
const input = `${password}\n`;

/** As someone would who has the file but not the key. */
const losePermissions = (endpoint: Endpoint): void => {
  const database = new DatabaseSync(join(endpoint.dataDirectory, "site.sqlite"), { timeout: 5000 });
  database.exec("DELETE FROM sys_database_permissions");
  database.close();
};

const verify = (endpoint: Endpoint) => endpoint.ssh("certadmin", "verify-cert -raw");

test("a lost permission comes back from a backup, and every key with it; the record has who did it", async () => {
  const endpoint = await startEndpoint();
  const keys = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw");
  expect(JSON.parse(keys.stdout).length).toBeGreaterThan(0);
  const backup = await endpoint.ssh("certadmin", "backup-cert -Name site", { input });
  expect(backup.status, backup.stderr).toBe(0);
  losePermissions(endpoint);
  expect(await verify(endpoint)).toMatchObject({ stdout: "0\n", status: 1 });
  expect(await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).toMatchObject({ status: 7 });

  const unforced = await endpoint.ssh("certadmin", "restore-cert -Name site", { input });
  expect(unforced).toMatchObject({ status: 2, stdout: "" });
  expect(unforced.stderr).toContain("-Force");
  const wrong = await endpoint.ssh("certadmin", "restore-cert -Name site -Force", {
    input: "Wrong-Horse-77-Battery\n",
  });
  expect(wrong).toMatchObject({ status: 2, stdout: "" });
  expect(await verify(endpoint)).toMatchObject({ stdout: "0\n", status: 1 });

  const restored = await endpoint.ssh("certadmin", "restore-cert -Name site -Force -Format json", { input });
  expect(restored.status, restored.stderr).toBe(0);
  const rows: Record<string, string>[] = JSON.parse(restored.stdout);
  expect(rows.map(({ Part, Result }) => [Part, Result])).toEqual([
    ["master key", "was there"],
    ["BitLockerManagement_CERT", "was there"],
    ["CONTROL for RecoveryAndHardwareRead", "granted"],
    ["CONTROL for RecoveryAndHardwareWrite", "granted"],
  ]);
  expect(await verify(endpoint)).toMatchObject({ stdout: "1\n", status: 0 });
  expect((await endpoint.ssh("exporter", "Get-RecoveryKeys -raw")).stdout).toBe(keys.stdout);

  const events = endpoint.events();
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "command-started",
      connectedUser: "certadmin",
      command: "restore-cert",
      parameters: { Name: "site", Force: true, Format: "json" },
    }),
  );
  expect(
    events.flatMap((event) =>
      event.type === "command-finished" && event.command === "restore-cert" ? [event.outcome] : [],
    ),
  ).toEqual(["failed", "failed", "succeeded"]);
  expect(JSON.stringify(events)).not.toContain("Horse");
  expect(endpoint.stderr()).not.toContain("Horse");
});

test("a person is asked on the trusted path: no changes nothing, yes grants again", async () => {
  const endpoint = await startEndpoint();
  losePermissions(endpoint);
  const terminal = endpoint.terminal("certadmin", { columns: 100, rows: 30 });
  await terminal.waitFor(/PS.*>/);
  // -Force is for scripts: here it is asked all the same.
  terminal.type("create-cert -Force\r");
  await terminal.waitFor(/pep asks[\s\S]*\[y\/N\]/);
  terminal.type("n\r");
  await terminal.waitFor(/Nothing was changed/);
  expect(await verify(endpoint)).toMatchObject({ stdout: "0\n", status: 1 });
  terminal.type("create-cert\r");
  await terminal.waitFor((seen) => (seen.match(/pep asks/g) ?? []).length === 2);
  terminal.type("y\r");
  await terminal.waitFor(/granted/);
  expect(await verify(endpoint)).toMatchObject({ stdout: "1\n", status: 0 });
});
