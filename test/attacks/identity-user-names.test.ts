/*
 * ATTACK  A client names a file, a hidden file or a control character as its user; or writes a user's name in Unicode look-alikes
 *         (Cyrillic letters, full-width ones, a letter and its accent apart) that some normalisation folds into it.
 * DANGER  `authorized-keys/../../home/x/.ssh/authorized_keys` becomes a way in; the log shows what the terminal obeys.
 * EXPECT  Refused like any unknown user; the claimed name is on the record, made readable; a recovery key pasted as name is not.
 */
import { expect, test } from "vitest";
import { fingerprintOf } from "../../server/identity/public-key.ts";
import { begin, ed25519 } from "../harness/proof-by-hand.ts";
import { message } from "../harness/ssh-attacker.ts";

test.each([
  ["../support", "../support"],
  ["support/../support", "support/../support"],
  [".support", ".support"],
  ["support\u0000", "support\uFFFD"],
  ["\u001b[2Jsupport", "\uFFFD[2Jsupport"],
  ["ѕupport", "ѕupport"],
  ["ｓｕｐｐｏｒｔ", "ｓｕｐｐｏｒｔ"],
  ["ſupport", "ſupport"],
  ["su\u0308pport", "su\u0308pport"],
  ["support\u200b", "support\uFFFD"],
  ["235818-357951-253979-013365-241120-245575-342914-591910", "••••••-".repeat(8).slice(0, -1)],
])("the user name %j is refused", async (user, shown) => {
  const key = ed25519();
  const { it, attacker } = await begin(key);
  attacker.send(message.publicKeyRequest(user, "ssh-ed25519", key.blob));
  await attacker.until("USERAUTH_FAILURE");
  const [event] = it.eventsOf("authentication");
  expect(event).toMatchObject({ outcome: "refused", claimedUser: shown, keyFingerprint: fingerprintOf(key.blob) });
  expect(["not a user name", "unknown user"]).toContain(event?.reason);
});
