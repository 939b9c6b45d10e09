/*
 * ATTACK  A revoked key comes back in a certificate; a certificate of a revoked authority is used; a plain key that an authority
 *         certified is offered without its revoked certificate.
 * DANGER  Revocation that looks at one of the two ways in.
 * EXPECT  Refused whichever way.
 */
import { expect, test } from "vitest";
import { decodeRevocations } from "../../server/identity/revocation-list.ts";
import { authority, key, withCertificate } from "../harness/good-certificate.ts";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";

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
