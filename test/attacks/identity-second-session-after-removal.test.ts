/*
 * ATTACK: a client keeps its connection (ssh's ControlMaster) when its session is ended because its key was removed or
 *         revoked, and opens another session on it.
 * DANGER: the key is judged at log-in only; one connection made in time is a way in for ever.
 * EXPECT: each session on a connection is judged anew; refused with a sentence, on the record.
 */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startCertifiedEndpoint, type CertifiedEndpoint } from "../harness/certified-endpoint.ts";
import { run } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

/** Opens a connection that stays, and returns how to run a line on it. */
const master = async ({ endpoint }: CertifiedEndpoint, options: readonly string[]) => {
  const control = ["-o", `ControlPath=${join(temporaryDirectory(), "c")}`];
  const opened = await run("ssh", [
    ...endpoint.sshArguments("guest", [...options, ...control, "-o", "ControlMaster=yes", "-o", "ControlPersist=60"]),
    "Get-Capability",
  ]);
  expect(opened.status, opened.stderr).toBe(0);
  onTestFinished(async () => {
    await run("ssh", endpoint.sshArguments("guest", [...control, "-O", "exit"]));
  });
  return () => run("ssh", [...endpoint.sshArguments("guest", control), "Get-Capability"]);
};

test("a connection whose key was removed takes no more sessions", { timeout: 120_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const again = await master(
    it,
    await it.authorize("guest", "restrict").then(async (options) => {
      await it.reload();
      return options;
    }),
  );
  expect((await again()).status).toBe(0);
  it.replace("authorized-keys/guest", "# nobody\n");
  await it.reload();
  const refused = await again();
  expect(refused).toMatchObject({ status: 130, stdout: "" });
  expect(refused.stderr).toMatch(/key you are logged in with was removed, so this connection takes no more sessions/);
  expect(it.endpoint.events()).toContainEqual(
    expect.objectContaining({ type: "request-refused", connectedUser: "guest", detail: "not a key of this user" }),
  );
});

test("nor does one while the list of revoked keys can't be read, until it can", { timeout: 120_000 }, async () => {
  const it = await startCertifiedEndpoint();
  const { options } = await it.certify("guest");
  const again = await master(it, options);
  it.replace("revoked", "");
  await it.reload();
  expect(await again()).toMatchObject({ status: 130, stdout: "" });
  it.replace("revoked", "# nobody\n");
  await it.reload();
  expect((await again()).status).toBe(0);
});
