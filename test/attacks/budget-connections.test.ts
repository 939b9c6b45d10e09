/*
 * ATTACK  A logged-in user opens connection after connection, needs no session on them, and keeps them; with a certificate for a group
 *         or a key of several users, as many for each name.
 * DANGER  64 of them shut everybody out who shares the address, a jump host for instance; 511 shut everybody out.
 * EXPECT  A user has a share of the connections; one too many is ended with a sentence that names the setting. Colleagues of the
 *         same address come in. A connection without a session ends in its time.
 */
import { once } from "node:events";
import ssh2 from "ssh2";
import { expect, onTestFinished, test, vi } from "vitest";
import { exec, logIn, stillServes } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";

const disconnected = (client: ssh2.Client): Promise<string> =>
  new Promise((resolve) => {
    let words = "";
    client.on("error", (error) => (words = error.message));
    client.once("close", () => resolve(words));
  });

test("a user's connections are counted, and colleagues of the same address are not shut out", async () => {
  const it = await startTestServer(undefined, { limits: { connectionsPerUser: 5, connectionsPerAddress: 6 } });
  const held = await Promise.all(Array.from({ length: 5 }, () => logIn(it.port, "support", it.key.privateKey)));
  const surplus = new ssh2.Client();
  onTestFinished(() => {
    surplus.destroy();
  });
  const words = disconnected(surplus);
  surplus.connect({ host: "127.0.0.1", port: it.port, username: "support", privateKey: it.key.privateKey });
  await words;
  expect(await it.firstDrop()).toBe("connectionsPerUser");
  const colleague = generateSshKeyPair("alice@test");
  it.authorize("alice", colleague.publicKey);
  // More log-ins than the address may have unauthenticated at a time, one after the other.
  for (let count = 0; count < 4; count += 1) {
    const client = await logIn(it.port, "alice", colleague.privateKey);
    expect(await exec(client, "still there?")).toMatchObject({ status: 0 });
  }
  held[0]?.end();
  await vi.waitFor(() =>
    expect(it.server.connections().filter((one) => one.connectedUser === "support")).toHaveLength(4),
  );
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});

test("a person's connections are counted whatever name they log in by", async () => {
  const it = await startTestServer(undefined, { limits: { connectionsPerUser: 4 } });
  for (const name of ["alice", "bob"]) it.authorize(name, it.key.publicKey);
  for (const name of ["support", "alice", "bob", "alice"]) await logIn(it.port, name, it.key.privateKey);
  const surplus = new ssh2.Client();
  onTestFinished(() => {
    surplus.destroy();
  });
  const words = disconnected(surplus);
  surplus.connect({ host: "127.0.0.1", port: it.port, username: "bob", privateKey: it.key.privateKey });
  await words;
  expect(await it.firstDrop()).toBe("connectionsPerUser");
});

test("a connection without a session ends in its time, one with a session stays", async () => {
  const { promise: done, resolve: end } = Promise.withResolvers<void>();
  const it = await startTestServer(
    async (_connection, _request, channel) => {
      await done;
      await channel.end(0);
    },
    { limits: { connectionIdleMs: 300 } },
  );
  const busy = await logIn(it.port, "support", it.key.privateKey);
  const running = exec(busy, "wait");
  const idle = await logIn(it.port, "support", it.key.privateKey);
  await once(idle, "close");
  expect(await it.firstDrop()).toBe("connectionIdleMinutes");
  expect(it.eventsOf("connection-dropped")).toHaveLength(1);
  end();
  expect(await running).toMatchObject({ status: 0 });
});
