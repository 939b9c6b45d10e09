import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createRowDigests } from "../../server/site-database/embedded/row-digests.ts";

const field = fc.oneof(fc.string({ unit: "binary", maxLength: 2000 }), fc.integer(), fc.constant(null));

test("a row's digest is Node's own HMAC-SHA-256 of its fields, whatever they hold", () => {
  const bytes = randomBytes(32);
  const { ofKey, ofLink } = createRowDigests(createSecretKey(bytes));
  const expected = (kind: string, fields: readonly unknown[]): Buffer =>
    createHmac("sha256", bytes)
      .update(JSON.stringify([kind, ...fields]))
      .digest()
      .subarray(0, 16);
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      expect(ofKey(fields)).toEqual(expected("pep key 1", fields));
      expect(ofLink(fields)).toEqual(expected("pep link 1", fields));
    }),
  );
});
