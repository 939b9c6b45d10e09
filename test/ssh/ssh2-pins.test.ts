/* oxlint-disable no-underscore-dangle -- pins ssh2's private fields */
import { readFileSync } from "node:fs";
import ssh2 from "ssh2";
import type { Connection } from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { createServer } from "node:net";
import { once } from "node:events";
import { offeredAlgorithms } from "../../server/ssh/algorithms.ts";
import { generateSshKeyPair } from "../../server/identity/generate-key.ts";
import { channelMethods, openTransport } from "../../server/ssh/ssh2-internals.ts";
import { WireReader } from "../../server/identity/wire.ts";
import { bareSocket } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

/*
 * server/ssh stands on private fields of ssh2. When one of these fails after an upgrade, read server/ssh/README.md before
 * changing the version: the fields, the order of events and the messages' forms all have to be looked at again.
 */

const json = (path: string): { readonly version?: string; readonly dependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as ReturnType<typeof json>;

test("the installed ssh2 is 1.17.0, and the manifest asks for exactly that", () => {
  expect(json("../../node_modules/ssh2/package.json").version).toBe("1.17.0");
  expect(json("../../package.json").dependencies?.["ssh2"]).toBe("1.17.0");
});

test("ssh2 falls back to JavaScript: its native code is never built", () => {
  const built = new URL("../../node_modules/ssh2/lib/protocol/crypto/build", import.meta.url);
  expect(() => readFileSync(built)).toThrow("ENOENT");
});

/** A stock ssh2 server, to look at what it is made of. */
const stockServer = async (onConnection: (connection: Connection) => void): Promise<number> => {
  const server = new ssh2.Server({ hostKeys: [generateSshKeyPair("host").privateKey] }, (connection) => {
    connection.on("error", () => undefined);
    onConnection(connection);
  });
  const gate = createServer((socket) => {
    socket.on("error", () => undefined);
    server.injectSocket(socket);
  });
  gate.listen(0, "127.0.0.1");
  await once(gate, "listening");
  onTestFinished(() => {
    gate.close();
  });
  const address = gate.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

test("ssh2's connection has the private fields this server stands on, before our KEXINIT is sent", async () => {
  const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
  const port = await stockServer((connection) => {
    const transport = openTransport(connection);
    const opened = connection as unknown as { _sock: unknown; _protocol: Record<string, unknown> };
    resolve({
      exchanging: transport.exchangingKeys(),
      queued: transport.queuedPackets(),
      strict: transport.strict(),
      authenticated: transport.authenticated(),
      socket: typeof opened._sock,
      handlers: Object.keys(opened._protocol["_handlers"] as object).sort(),
      methods: channelMethods.filter((name) => typeof opened._protocol[name] !== "function"),
    });
  });
  const client = new ssh2.Client().on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
  });
  client.connect({ host: "127.0.0.1", port, username: "x" });
  expect(await promise).toEqual({
    exchanging: false,
    queued: 0,
    strict: false,
    authenticated: false,
    socket: "object",
    methods: [],
    handlers: [
      "CHANNEL_CLOSE",
      "CHANNEL_DATA",
      "CHANNEL_EOF",
      "CHANNEL_EXTENDED_DATA",
      "CHANNEL_FAILURE",
      "CHANNEL_OPEN",
      "CHANNEL_OPEN_CONFIRMATION",
      "CHANNEL_OPEN_FAILURE",
      "CHANNEL_REQUEST",
      "CHANNEL_SUCCESS",
      "CHANNEL_WINDOW_ADJUST",
      "DEBUG",
      "DISCONNECT",
      "GLOBAL_REQUEST",
      "SERVICE_REQUEST",
      "USERAUTH_INFO_RESPONSE",
      "USERAUTH_REQUEST",
    ],
  });
});

test("each connection has handlers of its own", async () => {
  const seen: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const port = await stockServer((connection) => {
    seen.push((connection as unknown as { _protocol: { _handlers: unknown } })._protocol._handlers);
    if (seen.length === 2) resolve();
  });
  for (let made = 0; made < 2; made += 1) (await bareSocket(port)).socket.write("SSH-2.0-x\r\n");
  await promise;
  expect(seen[0]).not.toBe(seen[1]);
});

test("another build of ssh2 is refused instead of half used", () => {
  expect(() => openTransport({} as unknown as Connection)).toThrow("not the version");
});

test("the server says its identification line first, and once", async () => {
  const { port } = await startTestServer();
  const { socket } = await bareSocket(port);
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  await once(socket, "data");
  expect(heard).toBe("SSH-2.0-pep_test\r\n");
  // Split over many segments: ssh2 alone would lose bytes of it and hang.
  for (const character of "SSH-2.0-slow\r\n") {
    socket.write(character);
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (heard.length < 200) await once(socket, "data"); // KEXINIT
  expect(heard.match(/SSH-2\.0/g)).toHaveLength(1);
});

test("only the algorithms of the list are offered", async () => {
  const { port } = await startTestServer();
  const { socket } = await bareSocket(port);
  let heard = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])));
  socket.write("SSH-2.0-x\r\n");
  const line = "SSH-2.0-pep_test\r\n".length;
  const packet = (): Buffer => heard.subarray(line + 4, line + 4 + heard.readUInt32BE(line));
  while (heard.length < line + 4 || heard.length < line + 4 + heard.readUInt32BE(line)) await once(socket, "data");
  const [padding = 0, type] = packet();
  expect(type).toBe(20); // KEXINIT
  const reader = new WireReader(packet().subarray(2 + 16, packet().length - padding));
  const lists = Array.from({ length: 10 }, () => reader.ascii());
  const { kex, serverHostKey, cipher, hmac, compress } = offeredAlgorithms;
  const both = (names: readonly string[]): string[] => [names.join(), names.join()];
  expect(lists).toEqual([
    [...kex, "kex-strict-s-v00@openssh.com"].join(),
    serverHostKey.join(),
    ...[cipher, hmac, compress, []].flatMap(both),
  ]);
  expect(lists.join()).not.toMatch(/zlib|sha1|cbc|rsa|nistp/);
});
