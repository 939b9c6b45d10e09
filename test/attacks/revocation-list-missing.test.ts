/*
 * ATTACK  The list of revoked keys is removed, emptied, cut short, made unreadable or writable by others.
 * DANGER  Whoever can break the list gets every revoked key back.
 * EXPECT  Nobody is let in while it is so, also when a good list was read before; with a good list again everybody else is.
 */
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { key } from "../harness/good-certificate.ts";
import { attemptLogin, authorizedLine, outcome, trusting } from "../harness/key-attempt.ts";
import { ed25519Key } from "../harness/signing-key.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("a list of revoked keys that can't be read refuses everybody", () => {
  const path = join(temporaryDirectory(), "revoked");
  const good = `# revoked\n${ed25519Key().line}\n`;
  const write =
    (bytes: string | Buffer, mode = 0o644) =>
    (): void => {
      writeFileSync(path, bytes);
      chmodSync(path, mode);
    };
  write(good)();
  const anchors = readTrustAnchors({ trustedUserCAKeys: undefined, revokedKeys: path });
  const tryAgain = (): string => {
    anchors.reload();
    const findRevocation = (...asked: [Buffer, undefined]) => {
      const revocations = anchors.revocations();
      return revocations === undefined
        ? "the list of revoked keys can't be read"
        : revocations.findRevocation(...asked);
    };
    const lines = [authorizedLine(key)];
    return outcome(
      attemptLogin({ key, trust: trusting({ lines, findRevocation: (blob) => findRevocation(blob, undefined) }) }),
    );
  };
  expect(tryAgain()).toBe("in");
  for (const breakIt of [
    () => rmSync(path),
    write(""),
    write(good.slice(0, -9)),
    write("SSHKRL\n\0"),
    write(good, 0o666),
    write(good, 0o664),
    write(Buffer.alloc(17 * 1024 * 1024, "#")),
  ]) {
    breakIt();
    expect(tryAgain()).toBe("the list of revoked keys can't be read");
    expect(anchors.problems).toEqual([expect.stringContaining("NOBODY CAN LOG IN")]);
    write(good)();
    expect(tryAgain()).toBe("in");
  }
});
