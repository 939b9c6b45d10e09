/*
 * ATTACK  Whoever holds an authority's private key logs in with it directly, as a user's plain key; or it stands in a user's file
 *         as cert-authority.
 * DANGER  The authority's key becomes a key to every account.
 * EXPECT  Refused: an authority signs certificates and does nothing else.
 */
import { expect, test } from "vitest";
import { authority, trust, withCertificate } from "../harness/good-certificate.ts";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";

test("an authority's key is nobody's user key", () => {
  expect(outcome(attemptLogin({ key: authority, trust }))).toBe("not a key of this user");
  const byLine = trusting({ lines: [authorizedLine(authority, "cert-authority")] });
  expect(outcome(attemptLogin({ key: authority, trust: byLine }))).toBe("not a key of this user");
  expect(withCertificate({}, { trust: byLine })).toBe("in");
});
