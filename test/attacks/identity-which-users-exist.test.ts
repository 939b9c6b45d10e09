/*
 * ATTACK  Somebody asks which users exist, or what became of a key, by comparing the answers for an unknown user, a wrong key, a
 *         revoked key, an expired one, and certificates that are expired, revoked, another's or a stranger's.
 * DANGER  A list of names to aim at, and whether a stolen key is missed yet.
 * EXPECT  The client hears the same, byte for byte; only the log tells them apart. The times are compared by `npm run bench -- --rows timing`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { reasons } from "../harness/proof-by-hand.ts";
import { certificateAlgorithm, ed25519Key, makeCertificate } from "../harness/signing-key.ts";
import { attack, message } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("an unknown user, a wrong, a revoked and an expired key, and their certificates, get the same answer", async () => {
  const [stranger, revoked, expired, own, authority] = [
    ed25519Key(),
    ed25519Key(),
    ed25519Key(),
    ed25519Key(),
    ed25519Key(),
  ];
  const directory = temporaryDirectory();
  const trustedUserCAKeys = join(directory, "authorities");
  const revokedKeys = join(directory, "revoked");
  writeFileSync(trustedUserCAKeys, `${authority.line}\n`, { mode: 0o600 });
  writeFileSync(revokedKeys, `${revoked.line}\n`, { mode: 0o600 });
  const it = await startTestServer(undefined, { trustedUserCAKeys, revokedKeys });
  it.authorize("support", revoked.line);
  it.authorize("support", `expiry-time="20200101Z" ${expired.line}`);
  const certified = certificateAlgorithm(own);
  const attempts: readonly (readonly [string, string, Buffer, string])[] = [
    ["nobody", "ssh-ed25519", stranger.blob, "unknown user"],
    ["support", "ssh-ed25519", stranger.blob, "not a key of this user"],
    ["support", "ssh-ed25519", revoked.blob, "revoked"],
    ["support", "ssh-ed25519", expired.blob, "the key's expiry-time is over"],
    ["support", certified, makeCertificate({ key: own, authority, validBefore: 9n }), "the certificate is expired"],
    ["nobody", certified, makeCertificate({ key: own, authority }), "no principal of the certificate fits"],
    ["support", certified, makeCertificate({ key: revoked, authority }), "revoked"],
    [
      "support",
      certified,
      makeCertificate({ key: own, authority: stranger }),
      "the certificate's authority is not trusted",
    ],
  ];
  const heard: unknown[] = [];
  for (const [user, algorithm, blob] of attempts) {
    const attacker = await attack(it.port);
    attacker.send(message.publicKeyRequest(user, algorithm, blob));
    await attacker.until("USERAUTH_FAILURE");
    heard.push(attacker.heard);
    attacker.client.destroy();
  }
  for (const answer of heard) expect(answer).toEqual(heard[0]);
  expect(reasons(it)).toEqual(attempts.map(([, , , reason]) => reason));
});
