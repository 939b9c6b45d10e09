import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCertificate } from "../../server/identity/certificate.ts";
import { decodeRevocations } from "../../server/identity/revocation-list.ts";
import { uint32, wireString } from "../../server/identity/wire.ts";
import { hasOpenSsh } from "../harness/ssh-attacker-openssh.ts";
import { ed25519Key, makeCertificate } from "../harness/signing-key.ts";
import type { SigningKey } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

if (!hasOpenSsh) console.warn("SKIPPED: the comparison with ssh-keygen -Q needs ssh-keygen");

const [authority, otherAuthority, key] = [ed25519Key(), ed25519Key(), ed25519Key()];
const most = 2n ** 64n - 1n;

const keygen = "ssh-keygen";

/** Makes a KRL with ssh-keygen for `authority`, and asks both about certificates and keys. */
const compare = (specification: string, keys: readonly SigningKey[] = []) => {
  const directory = temporaryDirectory();
  const put = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const krl = join(directory, "krl");
  const files = keys.map((revoked, index) => put(`revoked-${index}.pub`, `${revoked.line}\n`));
  const caFile = put("ca.pub", `${authority.line}\n`);
  const made = spawnSync(keygen, ["-q", "-k", "-f", krl, "-s", caFile, put("list", specification), ...files]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  const revocations = decodeRevocations(readFileSync(krl));
  return (blob: Buffer, isCertificate: boolean): { readonly here: boolean; readonly there: boolean } => {
    const type = isCertificate ? "ssh-ed25519-cert-v01@openssh.com" : "ssh-ed25519";
    const asked = spawnSync(keygen, ["-Q", "-f", krl, put("asked.pub", `${type} ${blob.toString("base64")}\n`)]);
    if (asked.status !== 0 && asked.status !== 1) throw new Error(asked.stderr.toString());
    const certificate = isCertificate ? decodeCertificate(blob) : undefined;
    const found = revocations.findRevocation(certificate?.key.blob ?? blob, certificate);
    return { here: found !== undefined, there: asked.status === 1 };
  };
};

describe.runIf(hasOpenSsh)("a KRL of ssh-keygen", () => {
  test("revokes the serials that ssh-keygen -Q says, at every boundary", { timeout: 120_000 }, () => {
    const ask = compare(
      [
        "serial: 5",
        "serial: 7",
        "serial: 100-200",
        "serial: 1000-100000",
        ...Array.from({ length: 30 }, (_, index) => `serial: ${300 + index * 3}`), // a bitmap
        `serial: ${most - 4n}-${most - 2n}`,
        `serial: ${most}`,
      ].join("\n"),
    );
    const around = [5n, 7n, 100n, 200n, 300n, 303n, 345n, 387n, 1000n, 100_000n, most - 4n, most - 2n, most];
    const serials = new Set(around.flatMap((at) => [at - 1n, at, at + 1n]).filter((at) => at <= most));
    const answers = [0n, 1n, ...serials].flatMap((serial) =>
      [authority, otherAuthority].map((by) => {
        const answer = ask(makeCertificate({ key, authority: by, serial }), true);
        return { serial, by: by === authority ? "authority" : "another", ...answer };
      }),
    );
    expect(answers.filter(({ here, there }) => here !== there)).toEqual([]);
    expect(answers.filter(({ here }) => here).length).toBeGreaterThan(10);
    expect(answers.filter(({ here, by }) => here && by === "another")).toEqual([]);
  });

  test("revokes the key ids, keys, fingerprints and authorities that ssh-keygen -Q says", () => {
    const [revoked, byDigest, byOldDigest, free] = [ed25519Key(), ed25519Key(), ed25519Key(), ed25519Key()];
    const ask = compare([`id: stolen laptop`, `sha256: ${byDigest.line}`, `sha1: ${byOldDigest.line}`].join("\n"), [
      revoked,
      otherAuthority,
    ]);
    const answers = [
      ...[revoked, byDigest, byOldDigest, free].flatMap((asked) => [
        ask(asked.blob, false),
        ask(makeCertificate({ key: asked, authority }), true),
      ]),
      ask(makeCertificate({ key: free, authority, keyId: "stolen laptop" }), true),
      ask(makeCertificate({ key: free, authority, keyId: "stolen laptop " }), true),
      ask(makeCertificate({ key: free, authority, keyId: "stolen laptop", serial: 0n }), true),
      ask(makeCertificate({ key: free, authority: otherAuthority }), true),
    ];
    expect(answers.map(({ here }) => here)).toEqual(answers.map(({ there }) => there));
    expect(answers.map(({ here }) => (here ? "x" : ".")).join("")).toBe("xxxxxx..x.xx");
  });

  test("can't be read with a byte missing anywhere", () => {
    const directory = temporaryDirectory();
    const [list, ca, path] = [join(directory, "list"), join(directory, "ca.pub"), join(directory, "krl")];
    writeFileSync(list, "serial: 1-10\nid: x\n");
    writeFileSync(ca, `${authority.line}\n`);
    spawnSync(keygen, ["-q", "-k", "-f", path, "-s", ca, list]);
    const whole = readFileSync(path);
    const header = 8 + 4 + 8 + 8 + 8 + 4 + 4;
    expect(() => decodeRevocations(whole)).not.toThrow();
    for (let length = 0; length < whole.length; length += 1) {
      // A list that ends behind its header revokes nothing and is a list all the same.
      if (length !== header) expect(() => decodeRevocations(whole.subarray(0, length))).toThrow(Error);
    }
  });
});

const krl = (...sections: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from("SSHKRL\n\0", "latin1"),
    uint32(1),
    Buffer.alloc(24),
    wireString(""),
    wireString(""),
    ...sections,
  ]);
const section = (type: number, ...body: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.of(type), wireString(Buffer.concat(body))]);
const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const serials = (type: number, ...body: readonly Buffer[]): Buffer =>
  krl(section(1, wireString(""), wireString(""), section(type, ...body)));

describe("what is not understood in a list makes it unreadable", () => {
  test.each([
    ["nothing at all", Buffer.alloc(0), "it is empty"],
    ["another version", Buffer.concat([krl().subarray(0, 8), uint32(2), krl().subarray(12)]), "version 2"],
    ["an unknown section", krl(section(9)), "section of type 9"],
    ["a signature", krl(section(4)), "section of type 4"],
    ["a critical extension", krl(section(255, wireString("x"), Buffer.of(1), wireString(""))), "critical extension"],
    ["an unknown section of an authority", serials(0x30), "section of type 48"],
    ["serial 0", serials(0x20, uint64(0n)), "serial 0"],
    ["a range that runs backwards", serials(0x21, uint64(2n), uint64(1n)), "can't be"],
    ["a negative bitmap", serials(0x22, uint64(1n), wireString(Buffer.of(0x80))), "negative"],
    ["a bitmap beyond the end", serials(0x22, uint64(most), wireString(Buffer.of(2))), "beyond"],
    ["a bitmap of serial 0", serials(0x22, uint64(0n), wireString(Buffer.of(1))), "serial 0"],
    ["a fingerprint of 19 bytes", krl(section(3, wireString(Buffer.alloc(19)))), "wrong length"],
    ["a bad line", Buffer.from(`# comment\n${key.line}\nnonsense\n`), "line 3"],
    ["options in front of a key", Buffer.from(`restrict ${key.line}\n`), "line 1"],
    ["a line cut off where base64 can end", Buffer.from(key.line.slice(0, -8)), "line 1: short read"],
    [
      "a type nobody knows",
      Buffer.from(`ssh-xmss ${wireString("ssh-xmss").toString("base64")}`),
      "line 1: the key type",
    ],
    ["bytes that are no text", Buffer.from([0xff, 0xfe]), ""],
  ])("%s", (_what, bytes, message) => {
    expect(() => decodeRevocations(bytes)).toThrow(message);
  });

  test("an extension that isn't critical is passed over; the authority may be any", () => {
    const extended = krl(
      section(255, wireString("x"), Buffer.of(0), wireString("y")),
      section(1, wireString(""), wireString(""), section(0x22, uint64(8n), wireString(Buffer.of(0x05)))),
    );
    const revocations = decodeRevocations(extended);
    const found = [7n, 8n, 9n, 10n, 11n].map((serial) => {
      const certificate = decodeCertificate(makeCertificate({ key, authority: otherAuthority, serial }));
      return revocations.findRevocation(certificate.key.blob, certificate);
    });
    const revoked = "the certificate is revoked";
    expect(found).toEqual([undefined, revoked, undefined, revoked, undefined]);
  });

  test("arbitrary bytes are an error unless every line is a comment", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        const text = Buffer.from(bytes).toString("utf8");
        if (text.split(/\r?\n/).every((line) => /^\s*(#|$)/.test(line))) return;
        expect(() => decodeRevocations(Buffer.from(bytes))).toThrow(Error);
      }),
    );
  });
});

test("a plain list revokes keys, certificates of those keys, and what revoked authorities signed", () => {
  const [revoked, free] = [ed25519Key(), ed25519Key()];
  const dsa = Buffer.concat(["ssh-dss", "p", "q", "g", "y"].map((text) => wireString(text)));
  const inside = makeCertificate({ key: ed25519Key(), authority });
  const list = [
    "# revoked",
    `${revoked.line} a comment`,
    "",
    otherAuthority.line,
    `ssh-dss ${dsa.toString("base64")} nobody accepts this one anyway`,
    `ssh-ed25519-cert-v01@openssh.com ${inside.toString("base64")}`,
  ].join("\r\n");
  const revocations = decodeRevocations(Buffer.from(list));
  const ask = (blob: Buffer): string | undefined => {
    const certificate = decodeCertificate(blob);
    return revocations.findRevocation(certificate.key.blob, certificate);
  };
  expect(revocations.findRevocation(revoked.blob, undefined)).toBe("revoked");
  expect(revocations.findRevocation(free.blob, undefined)).toBeUndefined();
  expect(revocations.findRevocation(decodeCertificate(inside).key.blob, undefined)).toBe("revoked");
  expect(ask(makeCertificate({ key: revoked, authority }))).toBe("revoked");
  expect(ask(makeCertificate({ key: free, authority }))).toBeUndefined();
  expect(ask(makeCertificate({ key: free, authority: otherAuthority }))).toBe("the certificate's authority is revoked");
});
