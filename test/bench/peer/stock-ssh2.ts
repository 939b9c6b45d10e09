/** A server as ssh2's own example has it: any key of one user, any command answered by a line. Prints its port. */
import ssh2 from "ssh2";
import { generateSshKeyPair } from "../../../server/identity/generate-key.ts";

const server = new ssh2.Server({ hostKeys: [generateSshKeyPair("stock").privateKey] }, (client) => {
  client.on("error", () => undefined);
  client.on("authentication", (context) => context.accept());
  client.on("session", (accept) => {
    accept().once("exec", (acceptExec) => {
      const channel = acceptExec();
      channel.write("a line\n");
      channel.exit(0);
      channel.end();
    });
  });
});
server.listen(0, "127.0.0.1", () => {
  const address: unknown = server.address();
  const port = typeof address === "object" && address !== null && "port" in address ? address.port : 0;
  process.stdout.write(`${String(port)}\n`);
});
process.stdin.once("end", () => process.exit(0)).resume();
