/*
 * ATTACK  `source-address` is written so that a lenient reader takes it for everybody: `10.0.0.0/`, empty, a name, host bits.
 * DANGER  The restriction turns into none.
 * EXPECT  Refused, wherever the client comes from; a good list lets in whom it names.
 */
import { expect, test } from "vitest";
import { withCertificate } from "../harness/good-certificate.ts";

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
