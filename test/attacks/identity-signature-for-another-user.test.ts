/*
 * ATTACK  A request names a user, its signature covers another user's name.
 * DANGER  One user's signature logs in another one who shares the key.
 * EXPECT  Refused.
 */
import { expect, test } from "vitest";
import { begin, ed25519, reasons, signature, signedBytes } from "../harness/proof-by-hand.ts";
import { message } from "../harness/ssh-attacker.ts";

test("a signature that names another user is refused", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  it.authorize("exporter", key.line);
  const other = signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("exporter", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, other)),
  );
  await attacker.until("USERAUTH_FAILURE");
  expect(reasons(it)).toEqual(["the signature is wrong"]);
});
