/*
 * ATTACK  A client sends requests whose fields contradict each other, or lack what they need: no key, a foreign type inside the
 *         blob, a certificate, a point off its curve, bytes too many, an empty signature.
 * DANGER  A TypeError or a wrong branch in the code that decides who is who.
 * EXPECT  Each is refused with a reason, on the record, and the server serves on.
 */
import { expect, test, vi } from "vitest";
import { uint32, wireString } from "../../server/identity/wire.ts";
import { ed25519, reasons } from "../harness/proof-by-hand.ts";
import { attack, message, stillServes } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

test("malformed keys and signatures are refused", async () => {
  const key = ed25519();
  const point = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]);
  const offCurve = Buffer.concat([wireString("ecdsa-sha2-nistp256"), wireString("nistp256"), wireString(point)]);
  const attempts: readonly (readonly [string, Buffer, Buffer | undefined])[] = [
    ["ssh-ed25519", Buffer.alloc(0), undefined],
    ["ecdsa-sha2-nistp256", key.blob, undefined],
    ["ssh-ed25519-cert-v01@openssh.com", key.blob, undefined],
    ["ecdsa-sha2-nistp256", offCurve, undefined],
    ["ssh-ed25519", Buffer.concat([key.blob, Buffer.of(0)]), undefined],
    ["ssh-ed25519", Buffer.concat([uint32(0xffff_ffff), key.blob]), undefined],
    ["ssh-ed25519", key.blob, wireString("ssh-ed25519")],
    ["ssh-ed25519", key.blob, Buffer.concat([wireString("ssh-ed25519"), wireString(Buffer.alloc(64))])],
  ];
  const it = await startTestServer(undefined, { limits: { authenticationTries: 100 } });
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  for (const [index, [algorithm, blob, signed]] of attempts.entries()) {
    attacker.send(message.publicKeyRequest("support", algorithm, blob, signed));
    await vi.waitFor(() => expect(attacker.heardOf("USERAUTH_FAILURE")).toHaveLength(index + 1));
  }
  expect(reasons(it)).not.toContain("ACCEPTED");
  expect(reasons(it)).toHaveLength(attempts.length);
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});
