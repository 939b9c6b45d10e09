/*
 * ATTACK  A client offers somebody's public key, gets the answer "this key would do", and goes on without signing.
 * DANGER  An offered key taken for an identity: public keys are public.
 * EXPECT  No identity: the next request of a session ends the connection.
 */
import { expect, test } from "vitest";
import { begin, ed25519, reasons } from "../harness/proof-by-hand.ts";
import { message } from "../harness/ssh-attacker.ts";

test("an offered key that never signed is no identity", async () => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  attacker.send(message.publicKeyRequest("support", "ssh-ed25519", key.blob));
  const answer = await attacker.until("USERAUTH_PK_OK");
  expect(answer.args[0]).toBe("ssh-ed25519");
  expect(it.server.connections()).toEqual([]);
  attacker.send(message.channelOpen("session", 0, 1 << 20, 32768));
  expect(await it.firstDrop()).toBe("pre-authentication-message");
  expect(reasons(it)).toEqual([]);
});
