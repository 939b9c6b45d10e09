/*
 * ATTACK  A certificate without principals; with another's; with the user's name in another case, or with a blank or NUL behind it.
 * DANGER  OpenSSH before 10.3 takes an empty list on a cert-authority line for "everybody".
 * EXPECT  Refused, on trusted authorities and on cert-authority lines.
 */
import { expect, test } from "vitest";
import { authority, withCertificate } from "../harness/good-certificate.ts";
import { authorizedLine, trusting } from "../harness/key-attempt.ts";

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
