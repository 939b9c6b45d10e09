/*
 * ATTACK  A logged-in user, a guest will do, asks for requests with answers without end and reads none of them.
 * DANGER  Each answer of 28 bytes waits in the socket's queue as an object of its own, 1 KB: 710 MB on one connection. The server is
 *         killed for its memory, or answers nobody else.
 *         One that reads them takes the server's whole time instead: 16 connections left an honest call without an answer for 30 s.
 * EXPECT  The server stops reading this connection while its answers wait. Others are served. It goes on once the client reads.
 *         A client that sends more messages than its share is read no faster than that.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as immediate, setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { startEndpoint } from "../harness/endpoint.ts";
import { attack, exec, logIn, message, type Attacker } from "../harness/ssh-attacker.ts";
import { startTestServer } from "../harness/ssh-attacker-server.ts";

const MiB = 1024 * 1024;
const batch = 2_000;
const most = 400_000;

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** Sends requests until the server takes no more of them, or has taken them all. @returns how many were sent */
const floodUntilHeldUp = async (attacker: Attacker): Promise<number> => {
  const request = message.globalRequest("keepalive@openssh.com", true);
  const { socket } = attacker;
  let sent = 0;
  let still = 0;
  for (let taken = -1; still < 5;) {
    if (socket.writableLength < MiB && sent < most) {
      for (let count = 0; count < batch; count += 1) attacker.send(request);
      sent += batch;
      await immediate();
      continue;
    }
    const now = socket.bytesWritten - socket.writableLength;
    still = now === taken ? still + 1 : 0;
    taken = now;
    await pause(100); // between two looks; five alike mean that the server takes nothing more
  }
  return sent;
};

test("a client that asks for answers and reads none costs no memory, and others are served", async () => {
  const endpoint = await startEndpoint();
  const privateKey = readFileSync(join(endpoint.dataDirectory, "demo", "keys", "guest"), "utf8");
  const attacker = await attack(endpoint.port, { user: "guest", privateKey });
  const before = residentBytes(endpoint.pid);
  attacker.deaf();
  const sent = await floodUntilHeldUp(attacker);
  expect(residentBytes(endpoint.pid) - before).toBeLessThan(64 * MiB);
  expect(attacker.socket.destroyed).toBe(false);
  const honest = await endpoint.ssh("guest", "Get-Command");
  expect(honest.status, honest.stderr).toBe(0);
  expect(sent).toBeLessThan(most);
});

test("a client whose answers wait is not read on, whatever its pace, and is once it reads", async () => {
  const it = await startTestServer(undefined, { limits: { messagesAtOnce: 1e9 } });
  const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
  attacker.deaf();
  expect(await floodUntilHeldUp(attacker)).toBeLessThan(most);
  attacker.ignore(); // reads again
  await expect.poll(() => attacker.socket.writableLength).toBe(0);
});

test("a client that asks without end, and reads each answer, is read no faster than its share", async () => {
  const it = await startTestServer(undefined, { limits: { messagesAtOnce: 50, messagesASecond: 0.01 } });
  const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
  const request = message.globalRequest("keepalive@openssh.com", true);
  const answers = (): number => attacker.heardOf("REQUEST_FAILURE").length;
  for (let count = 0; count < 60; count += 1) attacker.send(request);
  await expect.poll(answers).toBe(60); // one segment is read as a whole
  for (let count = 0; count < 300; count += 1) attacker.send(request);
  await expect.poll(() => attacker.socket.writableLength).toBe(0); // the kernel holds them
  const honest = await logIn(it.port, "support", it.key.privateKey);
  expect(await exec(honest, "still there?")).toMatchObject({ status: 0 });
  expect(answers()).toBe(60);
});
