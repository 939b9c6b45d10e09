/**
 * The export path with rows made beforehand: our SSH server and our channel, an answer that is there already. For the row
 * that asks what the channel can carry. Arguments: port file, public key file, bytes.
 */
import { readFileSync } from "node:fs";
import { generateSshKeyPair } from "../../server/ssh/generate-key.ts";
import { startSshServer } from "../../server/ssh/server.ts";

const [, , publicKeyFile = "", size = "0"] = process.argv;
const wanted = readFileSync(publicKeyFile, "utf8").split(" ")[1] ?? "";
const host = generateSshKeyPair("bench");
/** About what one batch of rows is. */
const piece = Buffer.alloc(64 * 1024, "0123456-");

const server = await startSshServer({
  listen: { host: "127.0.0.1", port: 0 },
  hostKeyPem: host.privateKey,
  ident: "pep",
  banner: "",
  authenticator: {
    findUser: async (name, blob) =>
      Buffer.from(blob).toString("base64") === wanted ? { connectedUser: name } : { refused: "another key" },
  },
  sessions: {
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
