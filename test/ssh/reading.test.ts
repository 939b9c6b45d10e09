import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { defaultLimits } from "../../server/ssh/limits.ts";
import { createReading } from "../../server/ssh/reading.ts";

/** A real connection, its server's side read as it comes. */
const stage = async (messagesAtOnce: number, messagesASecond: number) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1"); // listening on TCP, so it has a port
  const [socket] = (await once(server, "connection")) as [Socket]; // net's own type for this event
  onTestFinished(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  let nowMs = 0;
  let heard = 0;
  socket.on("data", (bytes: Buffer) => (heard += bytes.length));
  const reading = createReading(socket, { ...defaultLimits, messagesAtOnce, messagesASecond }, () => nowMs);
  return { client, socket, reading, heard: () => heard, pass: (ms: number) => (nowMs += ms) };
};

test("a client is read again once its answers are out, and not before", async () => {
  const { client, socket, reading, heard } = await stage(10, 10);
  client.write("one");
  await expect.poll(heard).toBe(3);
  reading.hold();
  reading.hold();
  expect(socket.isPaused()).toBe(true);
  reading.release();
  client.write("two");
  await expect.poll(heard).toBe(6);
});

test("a client that is ahead of its pace is read again when the time has come", async () => {
  const { client, socket, reading, heard, pass } = await stage(3, 1_000);
  for (let count = 0; count < 3; count += 1) reading.message();
  expect(socket.isPaused()).toBe(false);
  for (let count = 0; count < 5; count += 1) reading.message();
  expect(socket.isPaused()).toBe(true);
  client.write("more");
  pass(4);
  await expect.poll(() => socket.isPaused()).toBe(true);
  pass(1);
  await expect.poll(heard).toBe(4);
});

test("one reason to wait does not end the other", async () => {
  const { socket, reading, pass } = await stage(1, 1_000);
  reading.hold();
  reading.message();
  reading.message();
  reading.release();
  expect(socket.isPaused()).toBe(true);
  pass(1);
  await expect.poll(() => socket.isPaused()).toBe(false);
});

test("who waited long may send many at once again, and no more than that", async () => {
  const { socket, reading, pass } = await stage(3, 1_000);
  for (let count = 0; count < 3; count += 1) reading.message();
  pass(3_600_000);
  for (let count = 0; count < 3; count += 1) reading.message();
  expect(socket.isPaused()).toBe(false);
  reading.message();
  expect(socket.isPaused()).toBe(true);
});
