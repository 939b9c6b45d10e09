/*
 * ATTACK  A certificate carries a critical option that this endpoint does not know; one twice; a flag with a value.
 * DANGER  A restriction the authority wrote is passed over, or the laxer of two counts.
 * EXPECT  Refused.
 */
import { expect, test } from "vitest";
import { withCertificate } from "../harness/good-certificate.ts";

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
