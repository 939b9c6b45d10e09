import { expect, test, vi } from "vitest";
import { attack, bareSocket, message, stillServes } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

/*
 * ATTACK  A client sends a global request before it has logged in, then a flood of them without reading the answers.
 * DANGER  ssh2 answers each one into memory: 1.69 GB of a process anybody can reach.
 * EXPECT  The first one ends the connection.
 */
test("a global request before log-in ends the connection", async () => {
  const { port, firstDrop, key } = await startTestServer();
  const attacker = await attack(port);
  attacker.deaf();
  attacker.send(...Array.from({ length: 20_000 }, () => message.globalRequest("x", true)));
  expect(await firstDrop()).toBe("pre-authentication-message");
  attacker.hear();
  await attacker.closed;
  expect(await stillServes(port, key.privateKey)).toBe(true);
});

/*
 * ATTACK  A client opens a channel and asks for a command before it has logged in.
 * DANGER  A command for a stranger.
 * EXPECT  The connection ends and no session starts.
 */
test("a channel before log-in ends the connection", async () => {
  let served = 0;
  const { port, firstDrop } = await startTestServer(async (_connection, _request, channel) => {
    served += 1;
    await channel.end(0);
  });
  const attacker = await attack(port);
  attacker.send(message.channelOpen("session", 0, 1 << 20, 32768), message.request(0, "shell", true));
  expect(await firstDrop()).toBe("pre-authentication-message");
  await attacker.closed;
  expect(served).toBe(0);
});

/*
 * ATTACK  A client offers only compression, to send a small packet that inflates to tens of megabytes before log-in.
 * DANGER  29 KB on the wire block the event loop and take 30 MB, for everybody who asks.
 * EXPECT  No compression is negotiated: a client that insists on it gets no key exchange.
 */
test("compression is never negotiated", async () => {
  const { port, eventsOf } = await startTestServer();
  await expect(attack(port, undefined, { algorithms: { compress: ["zlib"] } })).rejects.toThrow(/no matching/i);
  await expect(attack(port, undefined, { algorithms: { compress: ["zlib@openssh.com"] } })).rejects.toThrow(
    /no matching/i,
  );
  await vi.waitFor(() => expect(eventsOf("connection-closed")).toHaveLength(2));
});

/*
 * ATTACK  A client sends an identification line that is no SSH, or none that ends, and holds its socket.
 * DANGER  ssh2 keeps the descriptor for ever: 500 such clients leak 500 descriptors.
 * EXPECT  The server ends the connection itself.
 */
test.each([
  ["no SSH at all", "GET / HTTP/1.1\r\n", "identification"],
  ["SSH 1", "SSH-1.5-old\r\n", "identification"],
  ["a line without an end", `SSH-2.0-${"x".repeat(300)}`, "identification-length"],
  ["a long line with an end", `SSH-2.0-${"x".repeat(300)}\r\n`, "identification-length"],
  ["a control character", "SSH-2.0-a\u0007b\r\n", "identification"],
])("a client with %s is dropped", async (_what, line, guard) => {
  const { port, firstDrop } = await startTestServer();
  const { socket, closed } = await bareSocket(port);
  socket.write(line);
  expect(await firstDrop()).toBe(guard);
  await closed;
});

/*
 * ATTACK  Clients connect and say nothing, or a byte at a time.
 * DANGER  ssh2 keeps them for ever, and its application never learns of them.
 * EXPECT  Dropped when the time for the line is over.
 */
test("a silent client and a slow one are dropped when their time is over", async () => {
  const { port, eventsOf } = await startTestServer(undefined, { limits: { identificationMs: 300 } });
  const silent = await bareSocket(port);
  const slow = await bareSocket(port);
  const drip = setInterval(() => slow.socket.write("S"), 50);
  await Promise.all([silent.closed, slow.closed]);
  clearInterval(drip);
  const guards = eventsOf("connection-dropped").map((event) => event.guard);
  expect(guards).toEqual(["identification-time", "identification-time"]);
});

/*
 * ATTACK  A client ends its key exchange and then does nothing.
 * DANGER  Every such client holds a socket and its cipher state for ever.
 * EXPECT  Dropped when the grace for a log-in is over.
 */
test("a client that never logs in is dropped when the grace is over", async () => {
  const { port, firstDrop } = await startTestServer(undefined, { limits: { loginGraceMs: 400 } });
  const attacker = await attack(port);
  expect(await firstDrop()).toBe("login-grace");
  await attacker.closed;
});

/*
 * ATTACK  One address holds many log-ins open.
 * DANGER  It uses up everybody's places.
 * EXPECT  Its own surplus waits unread; another connection of it comes in when a place is free; beyond the limit of open
 *         sockets it is turned away.
 */
test("one address can't hold more than its places, and its surplus waits its turn", async () => {
  const { port, firstDrop, key } = await startTestServer(undefined, {
    limits: { loginsPerAddress: 2, connectionsPerAddress: 3 },
  });
  const first = await bareSocket(port);
  await bareSocket(port);
  const waiting = stillServes(port, key.privateKey);
  await new Promise((resolve) => setImmediate(resolve));
  const surplus = await bareSocket(port);
  await surplus.closed;
  expect(await firstDrop()).toBe("connections-per-address");
  first.socket.destroy();
  expect(await waiting).toBe(true);
});

/*
 * ATTACK  A client sends packets of garbage, and malformed messages of every type, before it has logged in.
 * DANGER  An 'error' event nobody listens to, or a TypeError inside ssh2, ends the process for everybody.
 * EXPECT  Each of them ends its own connection; the server serves on.
 */
test("garbage and malformed messages end only their own connection", { timeout: 60_000 }, async () => {
  const { port, key, eventsOf } = await startTestServer(undefined, { limits: { loginGraceMs: 1_500 } });
  const uncaught: unknown[] = [];
  const remember = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtExceptionMonitor", remember);
  const garbage = await bareSocket(port);
  garbage.socket.write("SSH-2.0-garbage\r\n");
  garbage.socket.write(Buffer.alloc(4096, 0xff));
  await garbage.closed;
  const types = [1, 2, 3, 4, 5, 6, 7, 20, 30, 50, 51, 52, 60, 61, 80, 81, 82, 90, 91, 93, 94, 96, 97, 98, 99, 100, 255];
  for (let at = 0; at < types.length; at += 7) {
    const attackers = await Promise.all(
      types.slice(at, at + 7).map(async (type) => ({ type, it: await attack(port) })),
    );
    for (const { type, it } of attackers) it.send(Buffer.of(type), Buffer.of(type, 0xff, 0xff), Buffer.alloc(0));
    await Promise.all(attackers.map(({ it }) => it.closed));
  }
  process.off("uncaughtExceptionMonitor", remember);
  expect(uncaught).toEqual([]);
  await vi.waitFor(() => expect(eventsOf("connection-closed")).toHaveLength(types.length + 1));
  expect(await stillServes(port, key.privateKey)).toBe(true);
});

/*
 * ATTACK  A client (or a man in the middle who edits its list) does not ask for strict key exchange and uses chacha20.
 * DANGER  Terrapin, CVE-2023-48795: messages at the start of the connection can be cut off unnoticed.
 * EXPECT  The connection ends before log-in.
 */
test("chacha20 without strict key exchange is refused", async () => {
  const { port, firstDrop } = await startTestServer();
  void attack(port, undefined, {
    strict: false,
    algorithms: { cipher: ["chacha20-poly1305@openssh.com"] },
  }).catch(() => undefined); // the end of the connection is the point
  expect(await firstDrop()).toBe("weak-transport");
});
