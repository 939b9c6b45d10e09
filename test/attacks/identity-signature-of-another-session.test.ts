/*
 * ATTACK  A server elsewhere relays what a user signed for it.
 * DANGER  A signature for one connection logs somebody else in on another.
 * EXPECT  Refused: only a signature over this connection's session identifier counts. The right one is then accepted.
 */
import { expect, test } from "vitest";
import { fingerprintOf } from "../../server/identity/public-key.ts";
import { begin, ed25519, reasons, signature, signedBytes } from "../harness/proof-by-hand.ts";
import { message } from "../harness/ssh-attacker.ts";

test("a signature over another session is refused, the right one is accepted", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  const elsewhere = signedBytes(Buffer.alloc(32, 7), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, elsewhere)),
  );
  await attacker.until("USERAUTH_FAILURE");
  expect(reasons(it)).toEqual(["the signature is wrong"]);
  const here = signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob);
  attacker.send(
    message.publicKeyRequest("support", "ssh-ed25519", key.blob, signature(key, "ssh-ed25519", null, here)),
  );
  await attacker.until("USERAUTH_SUCCESS");
  expect(it.server.connections()).toMatchObject([
    { connectedUser: "support", keyFingerprint: fingerprintOf(key.blob), clientAddress: "127.0.0.1" },
  ]);
});
