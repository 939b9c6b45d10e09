import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attack, message } from "../harness/ssh-attacker.ts";
import { hasOpenSsh, keygen, publicLine, runSsh } from "../harness/ssh-attacker-openssh.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import type { Serve } from "../harness/ssh-attacker-server.ts";
import { signedBytes } from "../harness/key-attempt.ts";
import {
  certificateAlgorithm,
  ed25519Key,
  fidoEcdsaKey,
  fidoEd25519Key,
  makeCertificate,
} from "../harness/signing-key.ts";
import type { SigningKey } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const authority = ed25519Key();

/** A server that trusts `authority` and lists `key`, and a client that asks, then signs. */
const logInOverTheWire = async (key: SigningKey, certificate: Buffer | undefined, flags: number) => {
  const trustedUserCAKeys = join(temporaryDirectory(), "authorities");
  writeFileSync(trustedUserCAKeys, `${authority.line}\n`, { mode: 0o600 });
  const it = await startTestServer(undefined, { trustedUserCAKeys });
  if (certificate === undefined) it.authorize("support", key.line);
  const attacker = await attack(it.port);
  const blob = certificate ?? key.blob;
  const algorithm = certificate === undefined ? key.type : certificateAlgorithm(key);
  attacker.send(message.publicKeyRequest("support", algorithm, blob));
  expect((await attacker.until("USERAUTH_PK_OK")).args[0]).toBe(algorithm);
  const signed = signedBytes("support", algorithm, blob, attacker.sessionId());
  attacker.send(message.publicKeyRequest("support", algorithm, blob, key.sign(signed, { flags })));
  return { it, attacker };
};

describe.each([
  ["sk-ssh-ed25519", fidoEd25519Key],
  ["sk-ecdsa-sha2-nistp256", fidoEcdsaKey],
])("%s, as ssh2 hands it over", (_name, make) => {
  test("is accepted, plain and certified, and the record has what it said", async () => {
    const key = make();
    for (const certificate of [undefined, makeCertificate({ key, authority, keyId: "desk\n7", serial: 42n })]) {
      const { it, attacker } = await logInOverTheWire(key, certificate, 5);
      await attacker.until("USERAUTH_SUCCESS");
      const [event] = it.eventsOf("authentication");
      expect(event).toMatchObject({ outcome: "accepted", fido: { userPresent: true, userVerified: true, counter: 7 } });
      if (certificate === undefined) expect(event).not.toHaveProperty("certificate");
      else expect(event).toMatchObject({ certificate: { keyId: "desk\uFFFD7", serial: "42" } });
    }
  });

  test("without a touch is refused, and the client hears no reason", async () => {
    const { it, attacker } = await logInOverTheWire(make(), undefined, 0);
    const { args } = await attacker.until("USERAUTH_FAILURE");
    expect(args[0]).toEqual(["publickey"]);
    expect(it.eventsOf("authentication")).toMatchObject([
      { outcome: "refused", reason: "the FIDO key was not touched" },
    ]);
  });
});

/** Answers with what it was asked to run, and whether there is a terminal. */
const echo: Serve = async (_connection, request, channel) => {
  const asked = request.kind === "exec" ? request.commandLine : "a shell";
  await channel.write(Buffer.from(`${asked}|${request.terminal === undefined ? "no terminal" : "terminal"}\n`));
  await channel.end(0);
};

describe.runIf(hasOpenSsh)("what a key or certificate takes away, with OpenSSH's client", () => {
  test("restrict, and a certificate without permit-pty: no terminal; force-command: that line whatever is asked", async () => {
    const directory = temporaryDirectory();
    const key = keygen(directory, "ed25519");
    const trustedUserCAKeys = join(directory, "authorities");
    const authorityKey = keygen(directory, "ecdsa");
    writeFileSync(trustedUserCAKeys, `${publicLine(authorityKey)}\n`, { mode: 0o600 });
    const it = await startTestServer(echo, { trustedUserCAKeys });
    const program = "ssh-keygen";
    const certify = (...options: readonly string[]): void => {
      rmSync(`${key}-cert.pub`, { force: true });
      const args = ["-q", "-s", authorityKey, "-I", "id", "-n", "support", ...options, `${key}.pub`];
      if (spawnSync(program, args).status !== 0) throw new Error("ssh-keygen");
    };
    const run = async (...args: readonly string[]): Promise<string> => {
      const ran = await runSsh(it, { key, args: [...args], command: ["Get-Command"] });
      return ran.stdout.trim();
    };
    certify();
    expect(await run("-tt")).toBe("Get-Command|terminal");
    certify("-O", "clear");
    expect(await run()).toBe("Get-Command|no terminal");
    await run("-tt");
    expect(it.eventsOf("request-refused").map(({ request }) => request)).toContain("pty-req");
    certify("-O", "force-command=verify-cert -raw");
    expect(await run()).toBe("verify-cert -raw|no terminal");
    expect((await runSsh(it, { key })).stdout.trim()).toBe("verify-cert -raw|no terminal"); // a shell was asked for
    rmSync(`${key}-cert.pub`);
    it.authorize("support", `restrict ${publicLine(key)}`);
    expect(await run()).toBe("Get-Command|no terminal");
    const refusals = it.eventsOf("request-refused").length;
    await run("-tt");
    expect(it.eventsOf("request-refused").length).toBeGreaterThan(refusals);
  });
});
