/*
 * ATTACK  Somebody in the account's group writes an authority of their own into the file of trusted ones.
 * DANGER  They log in as anybody.
 * EXPECT  A file that group or others may write is refused whole, a bad line alone.
 */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { authority } from "../harness/good-certificate.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

test("a file of authorities that others may write trusts nobody", () => {
  const path = join(temporaryDirectory(), "authorities");
  writeFileSync(path, `${authority.line}\nnonsense\n`);
  chmodSync(path, 0o664);
  const anchors = readTrustAnchors({ trustedUserCAKeys: path, revokedKeys: undefined });
  expect(anchors.isTrustedAuthority(authority.blob)).toBe(false);
  expect(anchors.problems).toEqual([expect.stringContaining("group or others may write it")]);
  chmodSync(path, 0o644);
  expect(anchors.reload()).toEqual([expect.stringContaining(`${path}:2: refused`)]);
  expect(anchors.isTrustedAuthority(authority.blob)).toBe(true);
});
