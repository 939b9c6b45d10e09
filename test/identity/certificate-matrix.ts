import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SigningKey } from "../harness/signing-key.ts";
import { ed25519Key, makeCertificate } from "../harness/signing-key.ts";

/** One log-in to try: a private key file, with a certificate perhaps. */
export interface Try {
  readonly what: string;
  readonly key: string;
  readonly certificate?: string;
}

export interface Matrix {
  readonly tries: readonly Try[];
  /** Where this endpoint is stricter than Debian's sshd, on purpose. */
  readonly stricter: readonly Try[];
  readonly authorizedKeys: readonly string[];
  readonly authorities: readonly string[];
  readonly krl: string;
}

const program = "ssh-keygen";
const keygen = (...args: readonly string[]): void => {
  const made = spawnSync(program, ["-q", ...args]);
  if (made.status !== 0) throw new Error(`ssh-keygen ${args.join(" ")}: ${made.stderr.toString()}`);
};

/** Makes keys, certificates and a KRL with ssh-keygen; what it refuses to make is made by hand. */
export const makeMatrix = (directory: string, user: string): Matrix => {
  let count = 0;
  const newKey = (type = "ed25519", bits?: number): string => {
    count += 1;
    const path = join(directory, `key-${count}`);
    keygen("-t", type, ...(bits === undefined ? [] : ["-b", String(bits)]), "-N", "", "-C", "", "-f", path);
    return path;
  };
  const lineOf = (key: string): string => readFileSync(`${key}.pub`, "utf8").trim();
  const [ca, ecdsaCa, rsaCa, revokedCa, strangerCa, ownCa, ownCaNamed] = [
    newKey(),
    newKey("ecdsa", 384),
    newKey("rsa", 3072),
    newKey(),
    newKey(),
    newKey(),
    newKey(),
  ] as const;
  const handCa = ed25519Key();
  const rsaUser = newKey("rsa", 3072);
  const shortRsa = newKey("rsa", 2048);

  const signed = (
    what: string,
    args: readonly string[] = [],
    { key = newKey(), by = ca, principals = user }: { key?: string; by?: string; principals?: string } = {},
  ): Try => {
    count += 1;
    // ssh-keygen names the certificate after the key; a key of several gets a copy for each.
    const path = join(directory, `certified-${count}`);
    writeFileSync(path, readFileSync(key), { mode: 0o600 });
    writeFileSync(`${path}.pub`, readFileSync(`${key}.pub`));
    const names = principals === "" ? [] : ["-n", principals];
    keygen("-s", by, "-I", "id", ...names, ...args, `${path}.pub`);
    return { what, key: path, certificate: `${path}-cert.pub` };
  };
  const byHand = (what: string, parts: Partial<Parameters<typeof makeCertificate>[0]>): Try => {
    const key = newKey();
    const blob = Buffer.from(lineOf(key).split(" ")[1] ?? "", "base64");
    const numbers = blob.subarray(4 + "ssh-ed25519".length);
    const subject: SigningKey = { type: "ssh-ed25519", blob, numbers, line: "", sign: () => Buffer.alloc(0) };
    const certificate = makeCertificate({ key: subject, authority: handCa, principals: [user], ...parts });
    const path = `${key}-cert.pub`;
    writeFileSync(path, `ssh-ed25519-cert-v01@openssh.com ${certificate.toString("base64")}\n`);
    return { what, key, certificate: path };
  };

  const authorizedKeys: string[] = [];
  const plain = (what: string, options: string, key = newKey()): Try => {
    authorizedKeys.push(`${options === "" ? "" : `${options} `}${lineOf(key)}`);
    return { what, key };
  };
  authorizedKeys.push(`cert-authority ${lineOf(ownCa)}`);
  authorizedKeys.push(`cert-authority,principals="desk,floor" ${lineOf(ownCaNamed)}`);

  const revokedKey = newKey();
  const tries: readonly Try[] = [
    signed("ed25519"),
    signed("ecdsa 256", [], { key: newKey("ecdsa", 256) }),
    signed("ecdsa 384", [], { key: newKey("ecdsa", 384) }),
    signed("ecdsa 521", [], { key: newKey("ecdsa", 521) }),
    signed("rsa 3072", [], { key: rsaUser }),
    signed("rsa 2048", [], { key: shortRsa }),
    signed("signed by ecdsa", [], { by: ecdsaCa }),
    signed("signed by rsa, SHA-512", ["-t", "rsa-sha2-512"], { by: rsaCa }),
    signed("signed by rsa, SHA-256", ["-t", "rsa-sha2-256"], { by: rsaCa }),
    signed("signed by rsa, SHA-1", ["-t", "ssh-rsa"], { by: rsaCa }),
    signed("signed by a stranger", [], { by: strangerCa }),
    signed("a host's", ["-h"]),
    signed("no principals", [], { principals: "" }),
    signed("another principal", [], { principals: "somebody" }),
    signed("several principals", [], { principals: `somebody,${user}` }),
    signed("principal in upper case", [], { principals: user.toUpperCase() }),
    signed("a group of the user", [], { principals: "group:operators" }),
    signed("another group", [], { principals: "group:auditors" }),
    signed("a group's name alone", [], { principals: "operators" }),
    signed("valid now", ["-V", "-1h:+1h"]),
    signed("expired", ["-V", "-2h:-1h"]),
    signed("expired a second ago", ["-V", "-1h:-1s"]),
    signed("not yet valid", ["-V", "+1h:+2h"]),
    signed("valid for ever", ["-V", "always:forever"]),
    signed("source-address fits", ["-O", "source-address=127.0.0.0/8"]),
    signed("source-address in a list", ["-O", "source-address=10.0.0.0/8,127.0.0.1/32"]),
    signed("source-address elsewhere", ["-O", "source-address=10.0.0.0/8"]),
    signed("source-address of IPv6", ["-O", "source-address=::/0"]),
    byHand("source-address with no length", { critical: [["source-address", "10.0.0.0/"]] }),
    byHand("source-address with host bits", { critical: [["source-address", "127.0.0.1/8"]] }),
    byHand("source-address empty", { critical: [["source-address", ""]] }),
    byHand("source-address negated", { critical: [["source-address", "!10.0.0.0/8"]] }),
    byHand("source-address by a pattern", { critical: [["source-address", "127.*"]] }),
    signed("force-command", ["-O", "force-command=true"]),
    byHand("force-command twice", {
      critical: [
        ["force-command", "true"],
        ["force-command", "true"],
      ],
    }),
    signed("unknown critical option", ["-O", "critical:x@example.com=y"]),
    signed("unknown extension", ["-O", "extension:x@example.com=y"]),
    signed("no extensions", ["-O", "clear"]),
    byHand("made by hand and good", {}),
    byHand("neither user's nor host's", { kind: 3 }),
    signed("revoked serial", ["-z", "1000"]),
    signed("serial in a revoked range", ["-z", "2050"]),
    signed("serial just above it", ["-z", "2101"]),
    signed("serial just below it", ["-z", "1999"]),
    signed("revoked key id", ["-I", "stolen"]),
    signed("revoked key", [], { key: revokedKey }),
    signed("revoked authority", [], { by: revokedCa }),
    signed("the user's own authority", [], { by: ownCa }),
    signed("the user's own authority, another's name", [], { by: ownCa, principals: "somebody" }),
    signed("own authority with principals=", [], { by: ownCaNamed, principals: "floor" }),
    signed("own authority with principals=, user's name", [], { by: ownCaNamed }),
    { what: "the authority's own key, plain", key: ca },
    { what: "a key nobody listed", key: newKey() },
    plain("plain", ""),
    plain("plain rsa", "", newKey("rsa", 3072)),
    plain("plain rsa 2048", "", shortRsa),
    plain("plain and revoked", "", revokedKey),
    plain("restrict", "restrict"),
    plain("from= fits", 'from="127.0.0.1"'),
    plain("from= by CIDR", 'from="127.0.0.0/8"'),
    plain("from= by pattern", 'from="127.0.*.?"'),
    plain("from= elsewhere", 'from="10.0.0.0/8"'),
    plain("from= but not this one", 'from="127.0.0.0/8,!127.0.0.1"'),
    plain("from= only a negation", 'from="!10.0.0.1"'),
    plain("from= with host bits", 'from="127.0.0.1/8"'),
    plain("expiry-time to come", 'expiry-time="20990101"'),
    plain("expiry-time over", 'expiry-time="20200101"'),
    plain("expiry-time that is none", 'expiry-time="20991301"'),
    plain("an unknown option", "no-such-option"),
    plain("two options", 'restrict,from="127.0.0.1"'),
  ];
  const shortCa = newKey("rsa", 2048);
  const stricter: readonly Try[] = [
    signed("no principals, by the user's own authority", [], { by: ownCa, principals: "" }),
    signed("verify-required with a key in a file", ["-O", "verify-required"]),
    signed("signed by rsa of 2048 bits", ["-t", "rsa-sha2-512"], { by: shortCa }),
    plain("a command that this endpoint can't keep to", 'command="true"'),
  ];

  const krl = join(directory, "revoked.krl");
  const list = join(directory, "revoked.txt");
  writeFileSync(list, "serial: 1000\nserial: 2000-2100\nid: stolen\n");
  keygen("-k", "-f", krl, "-s", `${ca}.pub`, list);
  keygen("-k", "-u", "-f", krl, `${revokedKey}.pub`, `${revokedCa}.pub`);
  const authorities = [...[ca, ecdsaCa, rsaCa, revokedCa, shortCa].map(lineOf), handCa.line];
  return { tries, stricter, authorizedKeys, authorities, krl };
};
