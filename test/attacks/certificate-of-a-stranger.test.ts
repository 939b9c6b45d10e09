/*
 * ATTACK  Somebody signs certificates with a key of their own, with the user's own key, or with a certificate as authority.
 * DANGER  Anybody makes themselves anybody; a chain nobody looks at.
 * EXPECT  Refused: an authority is one that is named, byte for byte.
 */
import { expect, test } from "vitest";
import { authority, key, withCertificate } from "../harness/good-certificate.ts";
import { authorizedLine, trusting } from "../harness/key-attempt.ts";
import { ed25519Key, makeCertificate } from "../harness/signing-key.ts";

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
