/*
 * ATTACK: someone whose laptop is stolen, or who was let go, is logged in already; their key or certificate is revoked, or
 *         their authority is trusted no more, while a session of theirs is open and a command of theirs waits.
 * DANGER: a revocation that counts from the next log-in on leaves the thief at the prompt until they go by themselves.
 * EXPECT: on the reload their sessions end, at once, with a sentence; the record has the reason; nobody else's session ends.
 */
import { expect, test } from "vitest";
import { startCertifiedEndpoint } from "../harness/certified-endpoint.ts";
import { openTerminal, type Terminal } from "../harness/terminal.ts";
import type { CertifiedEndpoint } from "../harness/certified-endpoint.ts";
import type { DemoUser } from "../harness/endpoint.ts";

const screen = async (
  { endpoint }: CertifiedEndpoint,
  user: DemoUser,
  options: readonly string[],
): Promise<Terminal> => {
  const terminal = openTerminal("ssh", endpoint.sshArguments(user, options), { columns: 100, rows: 30 });
  await terminal.waitFor(/PS.*>\s*$/);
  return terminal;
};

test("a revoked key ends its screen and its waiting script, and no other session", { timeout: 120_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const stolen = await it.certify("support");
  const other = await it.certify("auditor");
  const waiting = await it.certify("requester");
  const thief = await screen(it, "support", stolen.options);
  const bystander = await screen(it, "auditor", other.options);
  const script = it.endpoint.ssh("requester", "Get-RecoveryKeys -raw -Wait", { options: waiting.options });
  await expect.poll(() => it.endpoint.events().some(({ type }) => type === "elevation")).toBe(true);

  await it.revoke(stolen.publicKeyPath);
  await it.reload();
  await thief.waitFor(/was revoked, so the session was ended/);
  expect(await thief.exited).toBe(130);
  expect(await it.endOf("support")).toBe("rights gone: revoked");
  await it.revoke(waiting.publicKeyPath);
  await it.reload();
  const stopped = await script;
  expect(stopped).toMatchObject({ status: 130, stdout: "" });
  expect(stopped.stderr).toContain("was revoked, so the session was ended");
  bystander.type("Get-Capability | Measure-Object\r");
  await bystander.waitFor(/^Count/m);
});

test("an authority that is trusted no more ends the sessions of its certificates", { timeout: 120_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const terminal = await screen(it, "guest", (await it.certify("guest")).options);
  it.replace("authorities", "# none\n");
  await it.reload();
  await terminal.waitFor(/authority of the certificate you are logged in with is no longer trusted/);
  expect(await terminal.exited).toBe(130);
});

test(
  "a list of revoked keys that can't be read ends nobody's session, for nothing says that it should",
  { timeout: 120_000 },
  async () => {
    const it = await startCertifiedEndpoint();
    const terminal = await screen(it, "guest", (await it.certify("guest")).options);
    it.replace("revoked", "no list\n");
    await it.reload();
    expect(it.endpoint.stderr()).toContain("NOBODY CAN LOG IN");
    terminal.type("Get-Capability | Measure-Object\r");
    await terminal.waitFor(/^Count/m);
    terminal.type("exit\r");
    expect(await terminal.exited).toBe(0);
  },
);
