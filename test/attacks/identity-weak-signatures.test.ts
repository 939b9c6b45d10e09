/*
 * ATTACK  A client signs with SHA-1 RSA; or asks for rsa-sha2-256 and signs with SHA-1; or uses a key of 2048 bits.
 * DANGER  A forged signature: SHA-1 collisions cost thousands, NIST SP 800-57 ends 2048 bits with 2030.
 * EXPECT  Each is refused, rsa-sha2-512 with 3072 bits is accepted.
 */
import { expect, test, vi } from "vitest";
import { begin, reasons, rsa, signature, signedBytes } from "../harness/proof-by-hand.ts";
import { message } from "../harness/ssh-attacker.ts";

test("SHA-1 signatures and short RSA keys are refused", async () => {
  const key = rsa(3072);
  const short = rsa(2048);
  const { it, attacker } = await begin(key);
  it.authorize("support", short.line); // refused already when it is read
  const sha1 = signedBytes(attacker.sessionId(), "support", "ssh-rsa", key.blob);
  attacker.send(message.publicKeyRequest("support", "ssh-rsa", key.blob, signature(key, "ssh-rsa", "sha1", sha1)));
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(1));
  const mixed = signedBytes(attacker.sessionId(), "support", "rsa-sha2-256", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-256", key.blob, signature(key, "ssh-rsa", "sha1", mixed)),
  );
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(2));
  const weak = signedBytes(attacker.sessionId(), "support", "rsa-sha2-256", short.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-256", short.blob, signature(short, "rsa-sha2-256", "sha256", weak)),
  );
  await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(3));
  expect(reasons(it)).toEqual([
    "the algorithm is not accepted with this key",
    "the signature is wrong",
    "the key can't be accepted",
  ]);
  expect(it.eventsOf("authentication").at(-1)?.detail).toContain("must have 3072 to 8192 bits");
  const strong = signedBytes(attacker.sessionId(), "support", "rsa-sha2-512", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "rsa-sha2-512", key.blob, signature(key, "rsa-sha2-512", "sha512", strong)),
  );
  await attacker.until("USERAUTH_SUCCESS");
});
