import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, pep, type Endpoint } from "../harness/endpoint.ts";

const password = "Correct-Horse-42\n";
const key = "Get-RecoveryKeys -ComputerName DEMO-PC-01 -Reason x";
let folder: string;
let endpoint: Endpoint;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pep-renewal-"));
  endpoint = await launch({ dataDirectory: join(folder, "pep") });
}, 120_000);
afterAll(async () => {
  await endpoint.end();
  rmSync(folder, { recursive: true, force: true });
});

const renewCert = (args: readonly string[], input = password) =>
  pep(["renew-cert", "--data-dir", endpoint.dataDirectory, ...args], input);
const recovered = async (): Promise<string> => {
  const { status, stdout, stderr } = await endpoint.ssh("support", key);
  expect(status, stderr).toBe(0);
  return /(?:\d{6}-){7}\d{6}/.exec(stdout)?.[0] ?? "";
};
const thumbprint = async (): Promise<string> => {
  const { stdout, stderr } = await endpoint.ssh("certadmin", "verify-cert");
  return /[0-9a-f]{64}/.exec(stdout + stderr)?.[0] ?? "";
};
const steps = (): readonly string[] =>
  endpoint.events().flatMap((event) => (event.type === "certificate-renewal" ? [event.step] : []));

test("renews the certificate of a server that runs, in steps that are shown first", async () => {
  const shown = await recovered();
  const before = await thumbprint();
  const dry = await renewCert(["--dry-run"]);
  expect(dry.stdout).toContain(before);
  expect(dry.stdout).toMatch(/It opens \d+ encrypted cells\..*\n1\. .*\n2\. .*\n3\. \d+ encrypted cells move.*\n4\. /);
  expect(readdirSync(`${endpoint.dataDirectory}.backup`)).toEqual([]);
  expect(await renewCert(["--name", "new"])).toMatchObject({ status: 2, stderr: expect.stringContaining("add --yes") });
  expect(await renewCert(["--name", "new", "--yes"], "short\n")).toMatchObject({ status: 2 });
  expect(steps()).toEqual([]);

  const done = await renewCert(["--name", "new", "--yes"]);
  expect(done, done.stderr).toMatchObject({ status: 0, stdout: expect.stringContaining("All have moved") });
  expect(await recovered()).toBe(shown);
  const verified = await endpoint.ssh("certadmin", "verify-cert");
  expect(verified.stdout + verified.stderr).toContain("BitLockerManagement_CERT_OLD");
  expect(await thumbprint()).not.toBe(before);
  const doctor = await pep(["doctor", "--data-dir", endpoint.dataDirectory]);
  expect(doctor.stdout).toMatch(/^ok {4}cells: All \d+ encrypted cells open with the certificate/m);

  const wrong = await renewCert(["--retire-old", "--name", "new", "--yes"], "Wrong-Horse-42\n");
  expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining("does not open the backup") });
  const retired = await renewCert(["--retire-old", "--name", "new", "--yes"]);
  expect(retired, retired.stderr).toMatchObject({ status: 0, stdout: expect.stringContaining("Retired") });
  expect(await recovered()).toBe(shown);
  expect((await endpoint.ssh("certadmin", "verify-cert -raw")).stdout).toBe("1\n");
  expect(steps()).toEqual(["began", "moved", "retired"]);
});

test.each(["renew-cert", "renew-cert -Name new", "pep renew-cert --name new --yes"])(
  "over SSH it is no command, whoever asks: %s",
  async (line) => {
    const unknown = line.replace("renew", "xenew");
    const [refused, other] = await Promise.all([endpoint.ssh("certadmin", line), endpoint.ssh("certadmin", unknown)]);
    expect(refused.status).not.toBe(0);
    expect({ status: refused.status, stderr: refused.stderr.replaceAll("renew", "xenew") }).toMatchObject({
      status: other.status,
      stderr: other.stderr,
    });
  },
);
