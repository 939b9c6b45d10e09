/**
 * What the endpoint offers in KEXINIT, strongest first within what old clients still reach.
 *
 * - `curve25519-sha256@libssh.org` comes first, not the RFC 8731 name: dropbear's client 2022.83 believes it guessed the plain
 *   name right and hangs after KEXINIT.
 * - group16 is the one finite-field group: group14 is weak, 15, 17 and 18 cost the server milliseconds of CPU for each
 *   handshake an anonymous client asks for (DHEat, CVE-2002-20001).
 * - chacha20 stays: dropbear's client has neither GCM nor encrypt-then-MAC. `transport-guards.ts` refuses it without strict
 *   key exchange (Terrapin, CVE-2023-48795).
 * - No compression: a 29 KB packet inflates to 30 MB, synchronously and before log-in.
 * - No post-quantum exchange: ssh2 has none, and it can't be added from outside.
 */
export const offeredAlgorithms = {
  kex: ["curve25519-sha256@libssh.org", "curve25519-sha256", "diffie-hellman-group16-sha512"],
  serverHostKey: ["ssh-ed25519"],
  cipher: [
    "chacha20-poly1305@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
  ],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
  compress: ["none"],
} as const;
