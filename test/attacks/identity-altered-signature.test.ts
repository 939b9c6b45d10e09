/*
 * ATTACK  One bit of a good signature, of the key or of the signed user name is wrong.
 * DANGER  A verifier that looks at a part only.
 * EXPECT  Every flipped bit is refused.
 */
import { sign } from "node:crypto";
import { expect, test, vi } from "vitest";
import { wireString } from "../../server/identity/wire.ts";
import { ed25519, reasons, signedBytes } from "../harness/proof-by-hand.ts";
import { attack, message } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

test("no altered signature is accepted", { timeout: 60_000 }, async () => {
  const key = ed25519();
  const it = await startTestServer(undefined, { limits: { authenticationTries: 1000 } });
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  const good = sign(null, signedBytes(attacker.sessionId(), "support", "ssh-ed25519", key.blob), key.privateKey);
  for (let at = 0; at < good.length; at += 1) {
    const bad = Buffer.from(good);
    bad.writeUInt8(bad.readUInt8(at) ^ (1 << (at % 8)), at);
    const envelope = Buffer.concat([wireString("ssh-ed25519"), wireString(bad)]);
    attacker.send(message.publicKeyRequest("support", "ssh-ed25519", key.blob, envelope));
    await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(at + 1), { interval: 2 });
  }
  expect(new Set(reasons(it))).toEqual(new Set(["the signature is wrong"]));
});
