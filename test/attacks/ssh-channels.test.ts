import { expect, test, vi } from "vitest";
import { uint32, wireString } from "../../server/identity/wire.ts";
import { message, stillServes } from "../harness/ssh-attacker.ts";
import { attackFromWithin } from "../harness/ssh-attacker-inside.ts";
import { floodingHost, quietHost } from "../harness/ssh-attacker-server.ts";

const MiB = 1024 * 1024;

const exec = (id: number, line: string): Buffer => message.request(id, "exec", true, wireString(line));

/*
 * ATTACK  A channel is opened with a largest packet of 0, or of 1, and the server writes to it.
 * DANGER  0: ssh2's write loop never ends and the process hangs for ever. 1: one packet a byte, seconds of a blocked loop.
 * EXPECT  Such an open ends the connection.
 */
test.each([0, 1, 255])("a channel with packets of %i bytes ends the connection", async (packetSize) => {
  const { it, attacker } = await attackFromWithin(floodingHost);
  attacker.send(message.channelOpen("session", 0, MiB, packetSize), exec(0, "go"));
  expect(await it.firstDrop()).toBe("packet-size");
  await attacker.closed;
});

/*
 * ATTACK  A client sends more than the receive window grants while the session reads nothing.
 * DANGER  ssh2 lets the window go negative and buffers all of it: 640 MB.
 * EXPECT  Within the window at most 256 KiB are held; one byte more ends the connection.
 */
test("sending beyond the receive window ends the connection", async () => {
  const { it, attacker } = await attackFromWithin(async (_connection, _request, channel) => {
    await new Promise((resolve) => channel.closed.addEventListener("abort", resolve));
  });
  const before = process.memoryUsage().rss;
  attacker.send(message.channelOpen("session", 0, MiB, 32768), exec(0, "go"));
  const granted = (await attacker.until("CHANNEL_OPEN_CONFIRMATION")).args[0];
  expect(granted).toMatchObject({ window: 256 * 1024, packetSize: 32768 });
  const chunk = Buffer.alloc(32 * 1024);
  attacker.send(...Array.from({ length: 8 }, () => message.data(0, chunk)));
  attacker.send(message.request(0, "keepalive@openssh.com", true));
  await attacker.until("CHANNEL_FAILURE"); // everything before it was taken
  attacker.send(message.data(0, Buffer.alloc(1)));
  expect(await it.firstDrop()).toBe("window-overrun");
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
});

/*
 * ATTACK  A client fills its window a byte at a time.
 * DANGER  A Buffer object for each byte: a hundred times what the window allows.
 * EXPECT  The input arrives whole, in dense blocks.
 */
test("a window filled byte by byte is held in dense blocks", async () => {
  const { promise: blocks, resolve } = Promise.withResolvers<number[]>();
  const { promise: allIsIn, resolve: letRead } = Promise.withResolvers<void>();
  const { attacker } = await attackFromWithin(async (_connection, _request, channel) => {
    await allIsIn;
    const lengths: number[] = [];
    for await (const block of channel.input) lengths.push(block.length);
    resolve(lengths);
    await channel.end(0);
  });
  attacker.send(message.channelOpen("session", 0, MiB, 32768), exec(0, "go"));
  attacker.send(...Array.from({ length: 20_000 }, (_, index) => message.data(0, Buffer.of(index % 256))));
  attacker.send(message.request(0, "keepalive@openssh.com", true), message.eof(0));
  await attacker.until("CHANNEL_FAILURE"); // everything before it was taken
  letRead();
  const lengths = await blocks;
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(20_000);
  expect(lengths.length).toBeLessThan(5);
});

/*
 * ATTACK  A client opens sessions without end; or opens and closes them without asking for anything.
 * DANGER  50,000 channels are 184 MB; and ssh2 never frees one that was closed unused, so ten of those end the connection's use.
 * EXPECT  Ten at a time, the next is refused with a reason, a flood is dropped; closed ones are free again.
 */
test("ten sessions at a time; a flood of opens is dropped", async () => {
  const { it, attacker } = await attackFromWithin();
  const open = (id: number): Buffer => message.channelOpen("session", id, MiB, 32768);
  attacker.send(...Array.from({ length: 11 }, (_, id) => open(id)));
  await attacker.until("CHANNEL_OPEN_FAILURE");
  expect(attacker.heardOf("CHANNEL_OPEN_CONFIRMATION")).toHaveLength(10);
  expect(attacker.heardOf("CHANNEL_OPEN_FAILURE")[0]?.args).toEqual([
    10,
    4,
    "This connection has its 10 sessions already.",
  ]);
  attacker.send(...Array.from({ length: 40 }, (_, id) => open(100 + id)));
  expect(await it.firstDrop()).toBe("refused-opens");
});

test("sessions closed without a command are free again", async () => {
  const { it, attacker } = await attackFromWithin();
  for (let id = 0; id < 30; id += 1) {
    attacker.send(message.channelOpen("session", id, MiB, 32768), message.close(id));
  }
  await vi.waitFor(() => expect(attacker.heardOf("CHANNEL_CLOSE")).toHaveLength(30));
  expect(attacker.heardOf("CHANNEL_OPEN_CONFIRMATION")).toHaveLength(30);
  expect(it.eventsOf("connection-dropped")).toEqual([]);
});

/*
 * ATTACK  A client closes each channel at once while its command goes on, and opens the next.
 * DANGER  Any number of commands at a time on one connection.
 * EXPECT  A command keeps its place until it has ended.
 */
test("a command keeps its place after its channel is closed", async () => {
  const { promise: release, resolve } = Promise.withResolvers<void>();
  let running = 0;
  const { attacker } = await attackFromWithin(async () => {
    running += 1;
    await release;
    running -= 1;
  });
  for (let id = 0; id < 15; id += 1) {
    attacker.send(message.channelOpen("session", id, MiB, 32768), exec(id, "go"), message.close(id));
  }
  await vi.waitFor(() => expect(attacker.heardOf("CHANNEL_OPEN_FAILURE")).toHaveLength(5));
  expect(running).toBe(10);
  resolve();
});

/*
 * ATTACK  A client sets thousands of environment variables, or sends thousands of messages for channels that are not there.
 * DANGER  Work, memory and a line of the log for each.
 * EXPECT  Dropped after 64 requests, or 256 stray messages; a name is recorded once.
 */
test("a flood of requests on one session ends the connection", async () => {
  const { it, attacker } = await attackFromWithin();
  const env = message.request(0, "env", true, wireString("LANG"), wireString("C"));
  attacker.send(message.channelOpen("session", 0, MiB, 32768), ...Array.from({ length: 65 }, () => env));
  expect(await it.firstDrop()).toBe("session-requests");
  expect(it.eventsOf("request-refused")).toMatchObject([
    {
      request: "env",
      reason: "environment",
      detail: "The environment variable LANG is not accepted.",
      connectedUser: "support",
    },
  ]);
});

test("a flood of messages for channels that are not there ends the connection", async () => {
  const { it, attacker } = await attackFromWithin();
  attacker.send(...Array.from({ length: 300 }, (_, id) => message.windowAdjust(1000 + id, 1)));
  expect(await it.firstDrop()).toBe("stray-messages");
});

/*
 * ATTACK  A client asks for refused things as fast as it can, on one connection.
 * DANGER  The log grows until the disk is full, and then nobody can log in.
 * EXPECT  A few are recorded one by one, the rest as a number.
 */
test("refusals can't flood the log", async () => {
  // All of it at once: held up to the usual pace it takes the ten seconds after which one more is recorded.
  const { it, attacker } = await attackFromWithin(quietHost, {
    messagesAtOnce: 10_000,
    recordedRefusalIntervalMs: 3_600_000,
  });
  attacker.send(...Array.from({ length: 5_000 }, (_, index) => message.globalRequest(`tcpip-${index}`, false)));
  attacker.send(message.globalRequest("keepalive@openssh.com", true));
  await attacker.until("REQUEST_FAILURE");
  attacker.client.end();
  await vi.waitFor(() => expect(it.eventsOf("connection-closed")).toHaveLength(1));
  const refused = it.eventsOf("request-refused");
  expect(refused).toHaveLength(65);
  expect(refused.at(-1)).toMatchObject({ reason: "left out" });
  expect(refused.at(-1)?.detail).toBe("4936 more requests were refused and not recorded one by one");
});

/*
 * ATTACK  A client sends data after its EOF, or extended data, or a truncated open.
 * DANGER  Input that no window counts.
 * EXPECT  The connection ends.
 */
test.each([
  ["data after EOF", "data-after-eof", [message.eof(0), message.data(0, Buffer.of(1))]],
  ["extended data", "extended-data", [Buffer.concat([Buffer.of(95), uint32(0), uint32(1), wireString("x")])]],
  ["a truncated open", "malformed-message", [Buffer.concat([Buffer.of(90), wireString("session"), uint32(1)])]],
])("%s ends the connection", async (_what, guard, payloads) => {
  const { it, attacker } = await attackFromWithin();
  attacker.send(message.channelOpen("session", 0, MiB, 32768), ...payloads);
  expect(await it.firstDrop()).toBe(guard);
  expect(await stillServes(it.port, it.key.privateKey)).toBe(true);
});
