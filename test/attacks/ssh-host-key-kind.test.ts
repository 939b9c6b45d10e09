/*
 * ATTACK  The server is started with a host key of another kind.
 * DANGER  With an RSA key ssh2 offers SHA-1 signatures, whatever the configured list says.
 * EXPECT  It does not start, and says why.
 */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";

test("only an ed25519 host key is taken", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })).export({
    type: "pkcs1",
    format: "pem",
  });
  const { readHostKey } = await import("../../server/ssh/host-key.ts");
  expect(() => readHostKey(pem)).toThrow("The host key must be ssh-ed25519, not ssh-rsa.");
  expect(() => readHostKey(generateSshKeyPair("x").publicKey)).toThrow("public key");
  expect(() => readHostKey("nonsense")).toThrow("not an OpenSSH private key");
});
