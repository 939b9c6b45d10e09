import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { breakDisk, whyNoBrokenDisk } from "../harness/broken-disk.ts";
import { run, startEndpoint, type Endpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const missing = whyNoBrokenDisk();
if (missing !== undefined) console.warn(`The failing-disk tests are skipped: ${missing}.`);

/** A connection that is logged in already: the failures are to hit the command, not the log-in. */
const shareConnection = async (endpoint: Endpoint, user: "exporter" | "support"): Promise<readonly string[]> => {
  const socket = join(temporaryDirectory(), "mux");
  const options = ["-o", `ControlPath=${socket}`];
  const master = spawn("ssh", endpoint.sshArguments(user, [...options, "-M", "-N"]), { stdio: "ignore" });
  onTestFinished(() => void master.kill("SIGKILL"));
  await expect
    .poll(async () => (await run("ssh", endpoint.sshArguments(user, [...options, "-O", "check"]))).status)
    .toBe(0);
  return options;
};

test.skipIf(missing !== undefined)(
  "with fdatasync failing, not one byte of a key arrives, and the status is 254; once it works again, so does the endpoint",
  { timeout: 60_000 },
  async () => {
    const endpoint = await startEndpoint();
    const options = await shareConnection(endpoint, "exporter");
    const healthy = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw", { options });
    expect(JSON.parse(healthy.stdout).length).toBeGreaterThan(50);
    const mend = await breakDisk(endpoint.pid);
    for (const line of ["Get-RecoveryKeys -raw", "Get-RecoveryKeys -raw -Format csv", "Get-Command"]) {
      const answer = await endpoint.ssh("exporter", line, { options });
      expect(answer).toMatchObject({ status: 254, stdout: "" });
      expect(answer.stderr).toContain("AuditUnavailable");
    }
    await mend();
    const after = await endpoint.ssh("exporter", "Get-RecoveryKeys -raw", { options });
    expect(after.stdout).toBe(healthy.stdout);
    expect(endpoint.events().filter((event) => event.type === "disclosure")).toHaveLength(2);
  },
);

test.skipIf(missing !== undefined)(
  "with fdatasync failing, a screen shows no key either",
  { timeout: 60_000 },
  async () => {
    const endpoint = await startEndpoint();
    const terminal = endpoint.terminal("support", { columns: 100, rows: 30 });
    await terminal.waitFor("support@pep");
    await breakDisk(endpoint.pid);
    terminal.type("Get-RecoveryKeys -ComputerName DEMO-PC-01\r");
    await terminal.waitFor(/AuditUnavailable|could not be recorded/);
    expect(terminal.raw()).not.toMatch(/\d{6}-\d{6}/);
  },
);
