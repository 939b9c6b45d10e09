/*
 * ATTACK  A script pipes a stream without a line's end into a command that asks for a password.
 * DANGER  The server reads on for as long as there is something to read, 96 MB seen, and a turn of the user's commands with it.
 * EXPECT  Past 1 KiB nothing more is taken: the command ends, names the limit, and the connection's window stays closed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { startEndpoint } from "../harness/endpoint.ts";

test("a password that does not end is refused after its first kilobyte", async () => {
  const endpoint = await startEndpoint();
  const client = spawn("ssh", [
    ...endpoint.sshArguments("certadmin", ["-o", "LogLevel=ERROR"]),
    "backup-cert -Name monday",
  ]);
  let written = 0;
  let errors = "";
  client.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
  client.stdin.on("error", () => undefined); // the client ends before its input does
  const more = (): void => {
    while (!client.stdin.destroyed && written < 64 * 1024 * 1024) {
      written += 64 * 1024;
      if (!client.stdin.write(Buffer.alloc(64 * 1024, 0x61))) return;
    }
  };
  client.stdin.on("drain", more);
  more();
  const [status] = await once(client, "close");
  expect([status, errors]).toEqual([
    2,
    "InvalidArgument: A password has at most 1024 characters; this line is longer.\n",
  ]);
  expect(written).toBeLessThan(4 * 1024 * 1024);
});
