import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { array, assert, constant, integer, oneof, property, string } from "fast-check";
import { expect, test } from "vitest";
import { createRowDigests } from "../../server/site-database/embedded/row-digests.ts";

const field = oneof(string({ unit: "binary", maxLength: 2000 }), integer(), constant(null));

test("a row's digest is Node's own HMAC-SHA-256 of its fields, whatever they hold", () => {
  const bytes = randomBytes(32);
  const { ofKey, ofLink } = createRowDigests(createSecretKey(bytes));
  const expected = (kind: string, fields: readonly unknown[]): string =>
    createHmac("sha256", bytes)
      .update(JSON.stringify([kind, ...fields]))
      .digest("hex")
      .slice(0, 32);
  assert(
    property(array(field, { maxLength: 8 }), (fields) => {
      expect(ofKey(fields)).toBe(expected("pep key 1", fields));
      expect(ofLink(fields)).toBe(expected("pep link 1", fields));
    }),
  );
});
