import { once } from "node:events";
import { connect } from "node:net";
import { expect, test, vi } from "vitest";
import { attack, exec, logIn, message } from "../harness/ssh-attacker.ts";
import { hasOpenSsh, startSsh } from "../harness/ssh-attacker-openssh.ts";
import { nobodyNeedsOne } from "../harness/no-second-factor.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";
import type { Serve } from "../harness/ssh-attacker-server.ts";

/** Serves until the client leaves. */
const waitingHost: Serve = async (_connection, _request, channel) => {
  await channel.write(Buffer.from("ready\n"));
  await new Promise((resolve) => channel.closed.addEventListener("abort", resolve));
};

test("a connection is listed from its log-in to its end, and can be told to leave", { skip: !hasOpenSsh }, async () => {
  const it = await startTestServer(waitingHost);
  const { ended } = startSsh(it, { command: ["x"] });
  await vi.waitFor(() => expect(it.server.connections()).toHaveLength(1), { timeout: 10_000 });
  const [connection] = it.server.connections();
  expect(connection).toMatchObject({ connectedUser: "support", clientAddress: "127.0.0.1" });
  expect(it.server.disconnect("another", "Goodbye.")).toBe(false);
  expect(it.server.disconnect(connection?.connectionId ?? "", "Your rights were withdrawn.")).toBe(true);
  expect(await ended).toMatchObject({ status: 255, stderr: expect.stringContaining("Your rights were withdrawn.") });
  await vi.waitFor(() => expect(it.server.connections()).toEqual([]));
});

test("after stopAccepting nobody comes in, and who is in goes on", async () => {
  const it = await startTestServer();
  const client = await logIn(it.port, "support", it.key.privateKey);
  it.server.stopAccepting();
  const [error] = (await once(connect(it.port, "127.0.0.1"), "error")) as [Error];
  expect(error.message).toContain("ECONNREFUSED");
  expect((await exec(client, "x")).status).toBe(0);
});

test("close disconnects everybody, also who has not logged in, and waits for sessions and records", async () => {
  let over = false;
  const { promise: started, resolve: isStarted } = Promise.withResolvers<void>();
  const it = await startTestServer(async (...args) => {
    isStarted();
    await waitingHost(...args);
    await new Promise((resolve) => setImmediate(resolve));
    over = true;
  });
  const attacker = await attack(it.port);
  const client = await logIn(it.port, "support", it.key.privateKey);
  const closed = once(client, "close");
  void exec(client, "x").catch(() => undefined);
  const silent = connect(it.port, "127.0.0.1");
  await once(silent, "data");
  await started;
  const silentClosed = once(silent.resume(), "close");
  await it.server.close();
  await Promise.all([closed, attacker.closed, silentClosed]);
  expect(over).toBe(true);
  expect(it.eventsOf("connection-closed")).toHaveLength(2);
  expect(it.problems).toEqual([]);
});

test("an address in use and an ident with a blank are refused in words", async () => {
  const it = await startTestServer();
  const { startSshServer } = await import("../../server/ssh/server.ts");
  const { generateSshKeyPair } = await import("../../server/identity/generate-key.ts");
  const options = {
    listen: { host: "127.0.0.1", port: it.port },
    hostKeyPem: generateSshKeyPair("host").privateKey,
    ident: "pep",
    banner: "",
    authenticator: {
      judge: () => Promise.resolve({ kind: "refused" as const, reason: "unknown user" as const }),
      refusalNow: () => "unknown user" as const,
    },
    secondFactor: nobodyNeedsOne,
    sessions: { whyNone: () => undefined, serve: () => Promise.resolve() },
    log: { append: () => Promise.resolve() },
    report: () => undefined,
  };
  await expect(startSshServer(options)).rejects.toThrow("EADDRINUSE");
  await expect(startSshServer({ ...options, ident: "two words" })).rejects.toThrow("one printable ASCII word");
});

test("no more sessions means no more sessions", async () => {
  const it = await startTestServer();
  const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
  attacker.send(
    message.globalRequest("no-more-sessions@openssh.com", true),
    message.channelOpen("session", 0, 1 << 20, 32768),
  );
  await attacker.until("CHANNEL_OPEN_FAILURE");
  expect(attacker.heardOf("REQUEST_SUCCESS")).toHaveLength(1);
});

test("forty log-ins at once from one address all come in", async () => {
  const it = await startTestServer();
  const clients = await Promise.all(Array.from({ length: 40 }, () => logIn(it.port, "support", it.key.privateKey)));
  const ran = await Promise.all(clients.map((client) => exec(client, "x")));
  expect(ran.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 0));
  expect(it.eventsOf("connection-dropped")).toEqual([]);
});
