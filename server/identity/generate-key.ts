import { generateKeyPairSync, randomBytes } from "node:crypto";
import { uint32, wireString } from "./wire.ts";

export interface SshKeyPair {
  /** OpenSSH's private key format, PEM. */
  readonly privateKey: string;
  /** One line: `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
}

const type = "ssh-ed25519";
const lineLength = 70;

/**
 * Makes an ed25519 key pair in the files' format of OpenSSH (PROTOCOL.key), without a passphrase.
 * Not with ssh2's generator: it strips leading zero bytes, so one pair in 170 can be read neither by OpenSSH nor by ssh2.
 */
export const generateSshKeyPair = (comment: string): SshKeyPair => {
  const { x = "", d = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const point = Buffer.from(x, "base64url");
  const seed = Buffer.from(d, "base64url");
  const blob = Buffer.concat([wireString(type), wireString(point)]);
  const check = randomBytes(4); // twice: tells a wrong passphrase apart
  const unpadded = Buffer.concat([check, check, blob, wireString(Buffer.concat([seed, point])), wireString(comment)]);
  const padding = Buffer.from(Array.from({ length: (8 - (unpadded.length % 8)) % 8 }, (_, index) => index + 1));
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0", "latin1"),
    wireString("none"), // cipher
    wireString("none"), // key derivation
    wireString(""), // its options
    uint32(1), // keys
    wireString(blob),
    wireString(Buffer.concat([unpadded, padding])),
  ]).toString("base64");
  const lines = whole.match(new RegExp(`.{1,${lineLength}}`, "g")) ?? [];
  return {
    privateKey: ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n"),
    publicKey: `${type} ${blob.toString("base64")} ${comment}`,
  };
};
