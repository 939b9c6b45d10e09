/*
 * ATTACK  A client tries keys, passwords and host names one after another, or all at once.
 * DANGER  Unlimited guesses on one connection; ssh2 takes ten at a time and never says no.
 * EXPECT  The sixth failure ends the connection; passwords and host keys count too.
 */
import { expect, test } from "vitest";
import { wireString } from "../../server/identity/wire.ts";
import { attack } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

test("the sixth failure ends the connection, whatever its method", async () => {
  const { port, eventsOf } = await startTestServer();
  const attacker = await attack(port);
  const password = Buffer.concat([
    Buffer.of(50),
    ...["support", "ssh-connection", "password"].map((text) => wireString(text)),
    Buffer.of(0),
    wireString("hunter2"),
  ]);
  attacker.send(...Array.from({ length: 9 }, () => password));
  await attacker.closed;
  const refused = eventsOf("authentication");
  expect(refused).toHaveLength(6);
  expect(refused.every((event) => event.method === "password" && event.outcome === "refused")).toBe(true);
  expect(JSON.stringify(refused)).not.toContain("hunter2");
  expect(attacker.heardOf("DISCONNECT")[0]?.args).toEqual([14, "Too many authentication failures"]);
});
