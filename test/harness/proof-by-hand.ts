import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { wireString } from "../../server/identity/wire.ts";
import { attack } from "./ssh-attacker.ts";
import type { Attacker } from "./ssh-attacker.ts";
import { startTestServer } from "./ssh-attacker-server.ts";
import type { TestServer } from "./ssh-attacker-server.ts";

interface SigningKey {
  readonly privateKey: KeyObject;
  readonly blob: Buffer;
  readonly line: string;
}

export const ed25519 = (): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const blob = Buffer.concat([wireString("ssh-ed25519"), wireString(point)]);
  return { privateKey, blob, line: `ssh-ed25519 ${blob.toString("base64")}` };
};

export const rsa = (modulusLength: number): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  const modulus = Buffer.concat([Buffer.of(0), Buffer.from(n, "base64url")]);
  const blob = Buffer.concat([wireString("ssh-rsa"), wireString(Buffer.from(e, "base64url")), wireString(modulus)]);
  return { privateKey, blob, line: `ssh-rsa ${blob.toString("base64")}` };
};

/** What a client signs (RFC 4252 §7). */
export const signedBytes = (sessionId: Buffer, user: string, algorithm: string, key: Buffer): Buffer =>
  Buffer.concat([
    wireString(sessionId),
    Buffer.of(50),
    wireString(user),
    wireString("ssh-connection"),
    wireString("publickey"),
    Buffer.of(1),
    wireString(algorithm),
    wireString(key),
  ]);

export const signature = (key: SigningKey, algorithm: string, hash: string | null, bytes: Buffer): Buffer =>
  Buffer.concat([wireString(algorithm), wireString(sign(hash, bytes, key.privateKey))]);

/** A test server where `support` has this key, and a client that has finished its key exchange. */
export const begin = async (key: SigningKey): Promise<{ readonly it: TestServer; readonly attacker: Attacker }> => {
  const it = await startTestServer();
  it.authorize("support", key.line);
  const attacker = await attack(it.port);
  await attacker.until("SERVICE_ACCEPT");
  return { it, attacker };
};

export const reasons = (it: TestServer): (string | undefined)[] =>
  it.eventsOf("authentication").map((event) => (event.outcome === "refused" ? event.reason : "ACCEPTED"));
