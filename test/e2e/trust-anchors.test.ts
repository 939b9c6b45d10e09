import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { makeDemo, pep, run, startEndpoint } from "../harness/endpoint.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const keygen = "ssh-keygen";

test("endpoint.json names authorities and revoked keys; SIGHUP reads both again, and a missing list lets nobody in", async () => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  const at = (name: string): string => join(dataDirectory, name);
  await makeDemo(dataDirectory, { trustedUserCAKeys: "authorities", revokedKeys: "revoked" });
  for (const key of ["authority", "clerk"]) await run(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  // In the shipped roles nobody is in a group; the principal is the user's name.
  await run(keygen, ["-q", "-s", at("authority"), "-I", "clerk 7", "-z", "7", "-n", "guest", at("clerk.pub")]);
  writeFileSync(at("authorities"), readFileSync(at("authority.pub")), { mode: 0o600 });

  const endpoint = await startEndpoint({ dataDirectory }); // `revoked` is missing
  expect(endpoint.stderr()).toContain("NOBODY CAN LOG IN");
  const logIn = async (...options: string[]) => (await endpoint.ssh("guest", "Get-Command", { options })).status;
  const certified = ["-o", `IdentityFile=${at("clerk")}`, "-o", `CertificateFile=${at("clerk-cert.pub")}`];
  expect([await logIn(), await logIn(...certified)]).toEqual([255, 255]);

  const reload = async (): Promise<void> => {
    const count = (): number => endpoint.events().filter(({ type }) => type === "configuration-loaded").length;
    const before = count();
    endpoint.signal("SIGHUP");
    await vi.waitFor(() => expect(count()).toBeGreaterThanOrEqual(before + 3), { timeout: 10_000 });
  };
  const byCertificate = (): number =>
    endpoint
      .events()
      .filter(
        (event) =>
          event.type === "authentication" && event.certificate?.keyId === "clerk 7" && event.outcome === "accepted",
      ).length;
  writeFileSync(at("revoked"), "# nobody yet\n", { mode: 0o600 });
  await reload();
  expect(await logIn()).toBe(0);
  const certificateOnly = ["-o", "IdentityFile=none", ...certified];
  rmSync(at("demo/keys/guest"));
  expect(await logIn(...certificateOnly)).toBe(0);
  expect(byCertificate()).toBe(1);

  await run(keygen, ["-q", "-k", "-f", at("revoked"), at("clerk.pub")]);
  await reload();
  expect(await logIn(...certificateOnly)).toBe(255);
  rmSync(at("revoked"));
  await reload();
  expect((await endpoint.ssh("support", "Get-Command")).status).toBe(255);
  const doctor = await pep(["doctor", "--data-dir", dataDirectory]);
  expect(doctor.stdout).toMatch(/^FAIL {2}trust-anchors: .*NOBODY CAN LOG IN.*it is missing$/m);
  const reasons = endpoint.events().flatMap((event) => (event.type === "authentication" ? [event.reason] : []));
  expect(reasons).toContain("revoked");
  expect(reasons.at(-1)).toBe("the list of revoked keys can't be read");
  const problems = endpoint.events().filter(({ type }) => type === "configuration-refused");
  expect(problems).toHaveLength(2);
});
