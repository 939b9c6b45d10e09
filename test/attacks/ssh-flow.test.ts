import { expect, test, vi } from "vitest";
import { uint32, wireString } from "../../server/identity/wire.ts";
import { message } from "../harness/ssh-attacker.ts";
import { attackFromWithin } from "../harness/ssh-attacker-inside.ts";
import { floodingHost, quietHost } from "../harness/ssh-attacker-server.ts";

const MiB = 1024 * 1024;

const exec = (id: number, line: string): Buffer => message.request(id, "exec", true, wireString(line));

/*
 * ATTACK  A client grants a window of 4 GB and reads nothing while the server has much to say.
 * DANGER  The window says "go on", so ssh2 hands everything to the socket: 1.5 GB.
 * EXPECT  The write waits; memory stays flat; the end of the connection ends the wait.
 */
test("a client that grants a huge window and reads nothing costs no memory", async () => {
  let written = 0;
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  const { attacker } = await attackFromWithin(async (_connection, _request, channel) => {
    const chunk = Buffer.alloc(256 * 1024, 0x61);
    try {
      for (;;) {
        await channel.write(chunk);
        written += chunk.length;
      }
    } catch (error) {
      resolve(error);
    }
  });
  const before = process.memoryUsage().rss;
  attacker.deaf();
  attacker.send(message.channelOpen("session", 0, 0xffff_ffff, 32768), exec(0, "go"));
  await vi.waitFor(() => expect(written).toBeGreaterThan(0));
  let last = -1;
  await vi.waitFor(
    () => {
      const still = written === last;
      last = written;
      if (!still) throw new Error("still writing");
    },
    { interval: 300, timeout: 10_000 },
  );
  expect(written).toBeLessThan(32 * MiB); // both kernels' buffers and ours
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
  attacker.socket.destroy();
  expect(await ended).toMatchObject({ category: "OperationStopped" });
});

/*
 * ATTACK  A client starts a key exchange in the middle of a long answer and never finishes it.
 * DANGER  ssh2 queues all output during a key exchange: 736 MB for a 700 MB answer.
 * EXPECT  Writes wait for the key exchange; when its time is over the connection ends.
 */
test("an unfinished key exchange holds output back and then ends the connection", async () => {
  let written = 0;
  const { it, attacker } = await attackFromWithin(
    async (_connection, _request, channel) => {
      const chunk = Buffer.alloc(64 * 1024, 0x61);
      try {
        for (;;) {
          await channel.write(chunk);
          written += chunk.length;
        }
      } catch {
        // the end of the connection
      }
    },
    { keyExchangeMs: 1_000 },
  );
  const before = process.memoryUsage().rss;
  attacker.send(message.channelOpen("session", 0, 0xffff_ffff, 32768), exec(0, "go"));
  await vi.waitFor(() => expect(written).toBeGreaterThan(0));
  const lists = ["curve25519-sha256", "ssh-ed25519", "aes256-ctr", "aes256-ctr", "hmac-sha2-256-etm@openssh.com"];
  const [kex = "", hostKey = "", cipher = "", sameCipher = "", mac = ""] = lists;
  const names = [kex, hostKey, cipher, sameCipher, mac, mac, "none", "none", "", ""].map((list) => wireString(list));
  attacker.ignore();
  attacker.send(Buffer.concat([Buffer.of(20), Buffer.alloc(16), ...names, Buffer.of(0), uint32(0)]));
  expect(await it.firstDrop()).toBe("key-exchange-stalled");
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
});

/*
 * ATTACK  A client asks for requests with answers while the server's own key exchange is left unfinished.
 * DANGER  Every answer waits in ssh2's queue: 210 MB for a million requests.
 * EXPECT  Dropped above 1024 waiting packets.
 */
test("answers don't pile up during an unfinished key exchange", async () => {
  const { it, attacker } = await attackFromWithin(quietHost, { rekeyBytes: 1 });
  attacker.deaf(); // the server's KEXINIT stays unanswered
  const pulse = setInterval(() => {
    attacker.send(...Array.from({ length: 200 }, () => message.globalRequest("keepalive@openssh.com", true)));
  }, 50);
  expect(await it.firstDrop()).toBe("key-exchange-queue");
  clearInterval(pulse);
});

/*
 * ATTACK  A client starts one key exchange after another.
 * DANGER  Each costs the server asymmetric cryptography and the client nothing.
 * EXPECT  Dropped after a few in a minute that no traffic justified.
 */
test("a loop of key exchanges ends the connection", async () => {
  const { it, attacker } = await attackFromWithin();
  attacker.client.on("handshake", () => attacker.rekey());
  attacker.rekey();
  expect(await it.firstDrop()).toBe("rekey-flood");
});

/*
 * ATTACK  A client's window is used up while the server writes on standard output and standard error.
 * DANGER  ssh2 mixes the two up: standard error stalls for ever, or standard output is sent twice and standard error cut.
 * EXPECT  Every byte once, in the order of the calls, for any way the window opens again.
 */
test.each([
  ["a byte at a time", 1],
  ["seven bytes at a time", 7],
  ["all at once", 10_000],
])("both streams arrive whole when the window opens by %s", async (_how, step) => {
  const { attacker } = await attackFromWithin(async (_connection, _request, channel) => {
    const writes = Array.from({ length: 20 }, (_, index) => [
      channel.write(Buffer.from(`out${index};`.padEnd(20, "o"))),
      channel.writeError(Buffer.from(`err${index};`.padEnd(13, "e"))),
    ]);
    await Promise.all(writes.flat());
    await channel.end(3);
  });
  attacker.send(message.channelOpen("session", 0, 10, 32768), exec(0, "go"));
  await attacker.until("CHANNEL_SUCCESS");
  const total = 20 * 33;
  for (let opened = 10; opened < total + step; opened += step) attacker.send(message.windowAdjust(0, step));
  await attacker.until("CHANNEL_CLOSE");
  const text = (name: string): string =>
    attacker
      .heardOf(name)
      .map(({ args }) => String(args[1]))
      .join("");
  const expected = (name: string, width: number): string =>
    Array.from({ length: 20 }, (_, index) => `${name}${index};`.padEnd(width, name.charAt(0))).join("");
  expect(text("CHANNEL_DATA")).toBe(expected("out", 20));
  expect(text("CHANNEL_EXTENDED_DATA")).toBe(expected("err", 13));
  const names = attacker.heard.map(({ name }) => name);
  expect(names.slice(-3)).toEqual(["CHANNEL_REQUEST", "CHANNEL_EOF", "CHANNEL_CLOSE"]);
  expect(attacker.heardOf("CHANNEL_REQUEST")[0]?.args).toEqual([0, "exit-status", false, 3]);
});

/*
 * ATTACK  One session writes without end while another one on the same connection wants to answer.
 * DANGER  The first fills the socket again each time it drains; the second never gets its turn.
 * EXPECT  They take turns.
 */
test("a channel that writes without end does not starve the others", async () => {
  const { attacker } = await attackFromWithin(async (connection, request, channel) => {
    if (request.kind === "exec" && request.commandLine === "flood") await floodingHost(connection, request, channel);
    else {
      await channel.write(Buffer.from("my turn"));
      await channel.end(0);
    }
  });
  attacker.send(message.channelOpen("session", 0, 0xffff_ffff, 32768), exec(0, "flood"));
  await attacker.until("CHANNEL_DATA");
  attacker.send(message.channelOpen("session", 1, MiB, 32768), exec(1, "answer"));
  await vi.waitFor(() => expect(attacker.heardOf("CHANNEL_CLOSE").map(({ args }) => args[0])).toContain(1), {
    timeout: 10_000,
  });
  attacker.socket.destroy();
});
