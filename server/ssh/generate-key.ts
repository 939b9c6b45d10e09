import ssh2 from "ssh2";

export interface SshKeyPair {
  /** OpenSSH's private key format, PEM. */
  readonly privateKey: string;
  /** One line: `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
}

/** Makes an ed25519 key pair in the files' format of OpenSSH (PROTOCOL.key). */
export const generateSshKeyPair = (comment: string): SshKeyPair => {
  const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment });
  return { privateKey: pair.private, publicKey: pair.public };
};
