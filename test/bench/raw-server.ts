/**
 * The export path with rows made beforehand: our SSH server and our channel, an answer that is there already. For the row
 * that asks what the channel can carry. Arguments: a directory of authorized keys, and bytes.
 */
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { readAuthorizedKeys } from "../../server/identity/authorized-keys.ts";
import { createKeyAuthenticator, readTrustAnchors } from "../../server/identity/key-authenticator.ts";
import { startSshServer } from "../../server/ssh/server.ts";
import { nobodyNeedsOne } from "../harness/no-second-factor.ts";

const [, , keysDirectory = "", size = "0"] = process.argv;
const host = generateSshKeyPair("bench");
/** About what one batch of rows is. */
const piece = Buffer.alloc(64 * 1024, "0123456-");

const server = await startSshServer({
  listen: { host: "127.0.0.1", port: 0 },
  hostKeyPem: host.privateKey,
  ident: "pep",
  banner: "",
  authenticator: createKeyAuthenticator({
    authorizedKeys: readAuthorizedKeys(keysDirectory),
    anchors: readTrustAnchors({ trustedUserCAKeys: undefined, revokedKeys: undefined }),
    groupsOf: () => [],
    mayConnect: () => true,
    now: () => Date.now(),
  }),
  secondFactor: nobodyNeedsOne,
  sessions: {
    whyNone: () => undefined,
    async serve(_connection, _request, channel) {
      for (let left = Number(size); left > 0; left -= piece.length) {
        await channel.write(piece.subarray(0, Math.min(left, piece.length)));
      }
      await channel.end(0);
    },
  },
  log: { append: () => Promise.resolve() },
  report: (problem) => process.stderr.write(`${problem}\n`),
});
process.stdout.write(`${server.address.port}\n`);
process.stdin.once("end", () => process.exit(0)).resume();
