import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTrustAnchors } from "../../server/ssh/key-authenticator.ts";
import { decodeRevocations } from "../../server/ssh/revocation-list.ts";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";
import { ed25519Key, makeCertificate, rsaKey } from "../harness/signing-key.ts";
import type { CertificateParts } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const [key, authority] = [ed25519Key(), ed25519Key()];
const trust = trusting({ authorities: [authority], groups: ["operators"] });
const withCertificate = (parts: Partial<CertificateParts>, attempt: Partial<Parameters<typeof attemptLogin>[0]> = {}) =>
  outcome(attemptLogin({ key, trust, certificate: makeCertificate({ key, authority, ...parts }), ...attempt }));

test("the good certificate that the attacks below start from is accepted", () => {
  expect(withCertificate({})).toBe("in");
  expect(withCertificate({ principals: ["group:operators"] })).toBe("in");
});

/*
 * ATTACK  The certificate that an authority gave a host is offered as a user's; or one that is neither.
 * DANGER  Every server of the site could log in here.
 * EXPECT  Refused.
 */
test("a host's certificate is no user's", () => {
  expect(withCertificate({ kind: 2 })).toBe("it is a host's certificate");
  expect(withCertificate({ kind: 0 })).toContain("neither a user's nor a host's");
});

/*
 * ATTACK  A certificate without principals; with another's; with the user's name in another case, or with a blank or NUL behind it.
 * DANGER  OpenSSH before 10.3 takes an empty list on a cert-authority line for "everybody".
 * EXPECT  Refused, on trusted authorities and on cert-authority lines.
 */
test.each([
  [[], "the certificate has no principals"],
  [["Support"], "no principal of the certificate fits"],
  [["support\0"], "no principal of the certificate fits"],
  [["support "], "no principal of the certificate fits"],
  [["*"], "no principal of the certificate fits"],
  [["operators"], "no principal of the certificate fits"],
  [["group:"], "no principal of the certificate fits"],
  [["group:operators,support"], "no principal of the certificate fits"],
])("the principals %j let nobody in", (principals, reason) => {
  expect(withCertificate({ principals })).toBe(reason);
  const byLine = trusting({ lines: [authorizedLine(authority, "cert-authority")] });
  expect(withCertificate({ principals }, { trust: byLine })).toBe(reason);
});

/*
 * ATTACK  A certificate is used a second before its time, and in the second in which it ends.
 * DANGER  An off-by-one keeps a leaver in.
 * EXPECT  validAfter <= now < validBefore, to the second, and 64 bits wide.
 */
test("a certificate counts from its first second to the one before its last", () => {
  const at = (seconds: number): string =>
    withCertificate({ validAfter: 1000n, validBefore: 2000n }, { nowMs: seconds * 1000 });
  expect([999.999, 1000, 1999.999, 2000].map(at)).toEqual([
    "the certificate is not yet valid",
    "in",
    "in",
    "the certificate is expired",
  ]);
  expect(withCertificate({ validAfter: 2n ** 63n })).toBe("the certificate is not yet valid");
  expect(withCertificate({ validAfter: 5n, validBefore: 5n }, { nowMs: 5000 })).toBe("the certificate is expired");
});

/*
 * ATTACK  A certificate carries a critical option that this endpoint does not know; one twice; a flag with a value.
 * DANGER  A restriction the authority wrote is passed over, or the laxer of two counts.
 * EXPECT  Refused.
 */
test("critical options that are unknown, doubled or malformed refuse the certificate", () => {
  expect(withCertificate({ critical: [["max-sessions@example.com", "1"]] })).toBe(
    "the certificate has an unknown critical option",
  );
  expect(
    withCertificate({
      critical: [
        ["source-address", "10.0.0.0/8"],
        ["source-address", "0.0.0.0/0"],
      ],
    }),
  ).toBe("an option stands twice in the certificate");
  expect(withCertificate({ critical: [["verify-required", "no"]] })).toBe("trailing bytes");
  expect(withCertificate({ critical: [["force-command", null]] })).toBe("short read");
});

/*
 * ATTACK  `source-address` is written so that a lenient reader takes it for everybody: `10.0.0.0/`, empty, a name, host bits.
 * DANGER  The restriction turns into none.
 * EXPECT  Refused, wherever the client comes from; a good list lets in whom it names.
 */
test.each(["10.0.0.0/", "", "10.0.0.0/8,", "desk", "10.0.0.1/8", "!10.0.0.0/8", "0/0", "10.0.0.0/8 "])(
  "source-address %j lets nobody in",
  (list) => {
    for (const from of ["10.0.0.1", "192.0.2.7", "::1", ""]) {
      expect(withCertificate({ critical: [["source-address", list]] }, { from })).toBe(
        "the certificate's source-address can't be read",
      );
    }
    expect(withCertificate({ critical: [["source-address", "10.0.0.0/8"]] }, { from: "10.0.0.1" })).toBe("in");
    expect(withCertificate({ critical: [["source-address", "10.0.0.0/8"]] })).toBe(
      "source-address does not allow this address",
    );
  },
);

/*
 * ATTACK  Somebody signs certificates with a key of their own, with the user's own key, or with a certificate as authority.
 * DANGER  Anybody makes themselves anybody; a chain nobody looks at.
 * EXPECT  Refused: an authority is one that is named, byte for byte.
 */
test("only a named authority counts", () => {
  const stranger = ed25519Key();
  expect(withCertificate({ authority: stranger })).toBe("the certificate's authority is not trusted");
  expect(withCertificate({ authority: key })).toBe("the certificate's authority is not trusted");
  const asUserKey = trusting({ lines: [authorizedLine(stranger)] });
  expect(withCertificate({ authority: stranger }, { trust: asUserKey })).toBe(
    "the certificate's authority is not trusted",
  );
  const chained = { ...authority, blob: makeCertificate({ key: authority, authority }) };
  expect(withCertificate({ authority: chained })).toContain("the key type is not accepted");
});

/*
 * ATTACK  Whoever holds an authority's private key logs in with it directly, as a user's plain key; or it stands in a user's file
 *         as cert-authority.
 * DANGER  The authority's key becomes a key to every account.
 * EXPECT  Refused: an authority signs certificates and does nothing else.
 */
test("an authority's key is nobody's user key", () => {
  expect(outcome(attemptLogin({ key: authority, trust }))).toBe("not a key of this user");
  const byLine = trusting({ lines: [authorizedLine(authority, "cert-authority")] });
  expect(outcome(attemptLogin({ key: authority, trust: byLine }))).toBe("not a key of this user");
  expect(withCertificate({}, { trust: byLine })).toBe("in");
});

/*
 * ATTACK  A certificate is signed with SHA-1 by an RSA authority; a log-in with an RSA certificate is signed with SHA-1, or with
 *         another hash than was asked for.
 * DANGER  SHA-1 collisions: two certificates with one signature.
 * EXPECT  Refused; the same with SHA-2 is accepted.
 */
test("SHA-1 signs neither certificates nor log-ins", () => {
  const rsa = rsaKey(3072);
  const trustingRsa = trusting({ authorities: [rsa, authority] });
  const by = (algorithm: string, hash: string): string =>
    withCertificate({ authority: rsa, signing: { algorithm, hash } }, { trust: trustingRsa });
  expect(by("ssh-rsa", "sha1")).toContain("the authority's signature is wrong");
  expect(by("rsa-sha2-256", "sha1")).toContain("the authority's signature is wrong");
  expect(by("rsa-sha2-256", "sha256")).toBe("in");
  const certificate = makeCertificate({ key: rsa, authority });
  const login = (asked: string, algorithm: string, hash: string): string =>
    outcome(
      attemptLogin({
        key: rsa,
        certificate,
        trust,
        algorithm: `${asked}-cert-v01@openssh.com`,
        signing: { algorithm, hash },
      }),
    );
  expect(login("ssh-rsa", "ssh-rsa", "sha1")).not.toBe("in");
  expect(login("rsa-sha2-512", "ssh-rsa", "sha1")).toBe("the signature is wrong");
  expect(login("rsa-sha2-512", "rsa-sha2-256", "sha256")).toBe("the signature is wrong");
  expect(login("rsa-sha2-512", "rsa-sha2-512", "sha512")).toBe("in");
});

/*
 * ATTACK  A revoked key comes back in a certificate; a certificate of a revoked authority is used; a plain key that an authority
 *         certified is offered without its revoked certificate.
 * DANGER  Revocation that looks at one of the two ways in.
 * EXPECT  Refused whichever way.
 */
test("a revoked key, and whatever a revoked authority signed, is refused", () => {
  const revoking = (line: string) => {
    const revocations = decodeRevocations(Buffer.from(`${line}\n`));
    return trusting({
      authorities: [authority],
      lines: [authorizedLine(key)],
      findRevocation: (blob, certificate) => revocations.findRevocation(blob, certificate),
    });
  };
  expect(withCertificate({}, { trust: revoking(key.line) })).toBe("revoked");
  expect(outcome(attemptLogin({ key, trust: revoking(key.line) }))).toBe("revoked");
  expect(withCertificate({}, { trust: revoking(authority.line) })).toBe("the certificate's authority is revoked");
});

/*
 * ATTACK  The list of revoked keys is removed, emptied, cut short, made unreadable or writable by others.
 * DANGER  Whoever can break the list gets every revoked key back.
 * EXPECT  Nobody is let in while it is so, also when a good list was read before; with a good list again everybody else is.
 */
test("a list of revoked keys that can't be read refuses everybody", () => {
  const path = join(temporaryDirectory(), "revoked");
  const good = `# revoked\n${ed25519Key().line}\n`;
  const write =
    (bytes: string | Buffer, mode = 0o644) =>
    (): void => {
      writeFileSync(path, bytes);
      chmodSync(path, mode);
    };
  write(good)();
  const anchors = readTrustAnchors({ trustedUserCAKeys: undefined, revokedKeys: path });
  const tryAgain = (): string => {
    anchors.reload();
    const findRevocation = (...asked: [Buffer, undefined]) => {
      const revocations = anchors.revocations();
      return revocations === undefined
        ? "the list of revoked keys can't be read"
        : revocations.findRevocation(...asked);
    };
    const lines = [authorizedLine(key)];
    return outcome(
      attemptLogin({ key, trust: trusting({ lines, findRevocation: (blob) => findRevocation(blob, undefined) }) }),
    );
  };
  expect(tryAgain()).toBe("in");
  for (const breakIt of [
    () => rmSync(path),
    write(""),
    write(good.slice(0, -9)),
    write("SSHKRL\n\0"),
    write(good, 0o666),
    write(good, 0o664),
    write(Buffer.alloc(17 * 1024 * 1024, "#")),
  ]) {
    breakIt();
    expect(tryAgain()).toBe("the list of revoked keys can't be read");
    expect(anchors.problems).toEqual([expect.stringContaining("NOBODY CAN LOG IN")]);
    write(good)();
    expect(tryAgain()).toBe("in");
  }
});

/*
 * ATTACK  Somebody in the account's group writes an authority of their own into the file of trusted ones.
 * DANGER  They log in as anybody.
 * EXPECT  A file that group or others may write is refused whole, a bad line alone.
 */
test("a file of authorities that others may write trusts nobody", () => {
  const path = join(temporaryDirectory(), "authorities");
  writeFileSync(path, `${authority.line}\nnonsense\n`);
  chmodSync(path, 0o664);
  const anchors = readTrustAnchors({ trustedUserCAKeys: path, revokedKeys: undefined });
  expect(anchors.isTrustedAuthority(authority.blob)).toBe(false);
  expect(anchors.problems).toEqual([expect.stringContaining("group or others may write it")]);
  chmodSync(path, 0o644);
  expect(anchors.reload()).toEqual([expect.stringContaining(`${path}:2: refused`)]);
  expect(anchors.isTrustedAuthority(authority.blob)).toBe(true);
});

/*
 * ATTACK  A key is used from an address that its line excludes with `!`, before or after the block that includes it.
 * DANGER  The first match wins and the exception is passed over.
 * EXPECT  The exception wins wherever it stands; an expired line and another line of the same key don't mix.
 */
test("from= with a negation, and expiry-time, hold", () => {
  const from = (options: string, address: string): string =>
    outcome(attemptLogin({ key, from: address, trust: trusting({ lines: [authorizedLine(key, options)] }) }));
  const refused = "from= does not allow this address";
  expect(from('from="10.0.0.0/8,!10.0.0.66"', "10.0.0.66")).toBe(refused);
  expect(from('from="!10.0.0.66,10.0.0.0/8"', "10.0.0.66")).toBe(refused);
  expect(from('from="!10.0.0.66,10.0.0.0/8"', "10.0.0.67")).toBe("in");
  expect(from('from="!10.0.0.66"', "192.0.2.7")).toBe(refused);
  expect(from('from="10.0.0.0/8"', "")).toBe(refused);
  expect(from('expiry-time="20200101"', "10.0.0.1")).toBe("the key's expiry-time is over");
});
