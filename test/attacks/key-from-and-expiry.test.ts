/*
 * ATTACK  A key is used from an address that its line excludes with `!`, before or after the block that includes it.
 * DANGER  The first match wins and the exception is passed over.
 * EXPECT  The exception wins wherever it stands; an expired line and another line of the same key don't mix.
 */
import { expect, test } from "vitest";
import { key } from "../harness/good-certificate.ts";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";

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
