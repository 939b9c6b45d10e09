/*
 * ATTACK: a certificate for a few hours, or a key with an expiry-time, is used to open a session just before its end, and the
 *         session is kept open by typing now and then.
 * DANGER: just-in-time access that lasts as long as its holder likes.
 * EXPECT: the session ends when the certificate's validity or the key's expiry-time does, with a sentence and a reason on
 *         the record; sshd leaves it open, Teleport ends it where disconnect_expired_cert is set.
 */
import { expect, test } from "vitest";
import { startCertifiedEndpoint } from "../harness/certified-endpoint.ts";
import { openTerminal } from "../harness/terminal.ts";

const size = { columns: 100, rows: 30 };
/** Long enough for a log-in on a busy machine. */
const seconds = 12;

const compact = (at: Date): string => at.toISOString().replaceAll(/[-:T]/g, "").slice(0, 14);

test("a session does not outlive its certificate, nor a waiting script", { timeout: 90_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const validity = ["-V", `-1m:+${seconds}s`];
  const ofScript = await it.certify("requester", validity);
  const script = it.endpoint.ssh("requester", "Get-RecoveryKeys -raw -Wait", { options: ofScript.options });
  const { options } = await it.certify("guest", validity);
  const terminal = openTerminal("ssh", it.endpoint.sshArguments("guest", options), size);
  await terminal.waitFor(/The certificate you are logged in with expired, so the session was ended/, 30_000);
  expect(await terminal.exited).toBe(130);
  expect(await it.endOf("guest")).toBe("rights gone: the certificate is expired");
  expect(await script).toMatchObject({ status: 130, stdout: "" });
});

test("a session does not outlive its key's expiry-time", { timeout: 90_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const expiresAt = new Date(Date.now() + seconds * 1000);
  const options = await it.authorize("guest", `expiry-time="${compact(expiresAt)}Z"`);
  await it.reload();
  const terminal = openTerminal("ssh", it.endpoint.sshArguments("guest", options), size);
  await terminal.waitFor(/The key you are logged in with expired, so the session was ended/, 30_000);
  expect(await it.endOf("guest")).toBe("rights gone: the key's expiry-time is over");
  expect(Date.now()).toBeGreaterThanOrEqual(Math.floor(expiresAt.getTime() / 1000) * 1000);
});
