/*
 * ATTACK  The certificate that an authority gave a host is offered as a user's; or one that is neither.
 * DANGER  Every server of the site could log in here.
 * EXPECT  Refused.
 */
import { expect, test } from "vitest";
import { withCertificate } from "../harness/good-certificate.ts";

test("the good certificate that the attacks below start from is accepted", () => {
  expect(withCertificate({})).toBe("in");
  expect(withCertificate({ principals: ["group:operators"] })).toBe("in");
});

test("a host's certificate is no user's", () => {
  expect(withCertificate({ kind: 2 })).toBe("it is a host's certificate");
  expect(withCertificate({ kind: 0 })).toContain("neither a user's nor a host's");
});
