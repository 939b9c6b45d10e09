import { readFileSync } from "node:fs";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { forward, receiverStage } from "../audit-forwarding/stage.ts";
import { aliveBytes } from "../harness/memory.ts";
import { hasRsyslogd, seqOf } from "../harness/rsyslogd.ts";

const stop = { type: "server-stopped", reason: "x".repeat(800) } as const;

/** A receiver of our own that does what it likes with a connection. */
const receiverThat = async (does: (socket: TLSSocket) => void) => {
  const stage = await receiverStage();
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    {
      ca: readFileSync(stage.authority.ca),
      cert: readFileSync(stage.server.certificate),
      key: readFileSync(stage.server.key),
      requestCert: true,
      allowHalfOpen: true,
    },
    (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      does(socket);
    },
  );
  await new Promise<void>((resolve) => server.listen(stage.port, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { ...stage, sockets };
};

const settled = (cursorPath: string): number => JSON.parse(readFileSync(cursorPath, "utf8")).seq;

// ATTACK   A computer's name, a reason or a claimed user holds a newline and a whole forged syslog message behind it.
// DANGER   The SIEM shows an event that never was: "the auditor disclosed a key".
// EXPECT   One message an event, the text inside it as it was; nothing begins where the text says.
for (const format of ["json", "cef"] as const) {
  test.skipIf(!hasRsyslogd())(
    `a forged message in an event's text stays text (${format}; needs rsyslog-openssl)`,
    async () => {
      const { rsyslogd, receiver } = await receiverStage();
      await rsyslogd.start();
      const forged = `\n<134>1 2026-11-22T00:00:00Z victim pep 1 disclosure [pep@32473 seq="1"] forged\r\n99 <134>1 - - - - - - x"] |cs1=forged`;
      const { record } = await forward({ ...receiver, format });
      const origin = { claimedUser: `eve${forged}`, clientAddress: "192.0.2.66" };
      await record.append({
        type: "authentication",
        ...origin,
        outcome: "refused",
        method: "publickey",
        reason: "the key can't be accepted",
        detail: forged,
      });
      await record.append({
        type: "disclosure",
        connectedUser: "support",
        invocationId: "I-1",
        command: "Get-RecoveryKeys",
        how: "exec",
        reason: forged,
        keys: [{ keyId: "K", computerName: `PC${forged}` }],
      });
      await record.append({ type: "server-stopped", reason: "last" });
      await expect
        .poll(() =>
          rsyslogd
            .received()
            .map(({ msg }) => msg.includes("last"))
            .at(-1),
        )
        .toBe(true);
      const received = rsyslogd.received();
      expect(received.map(seqOf)).toEqual([1, 2, 3, 4]);
      expect(new Set(received.map(({ host }) => host))).toEqual(new Set(["pep-1"]));
      const [, refused, disclosed] = received;
      if (format === "json") {
        expect(JSON.parse(refused?.msg ?? "").event).toMatchObject({ ...origin, detail: forged });
        expect(JSON.parse(disclosed?.msg ?? "").event.keys).toEqual([{ keyId: "K", computerName: `PC${forged}` }]);
      } else {
        for (const message of [refused, disclosed]) {
          expect(message?.msg).not.toMatch(/[\r\n]/);
          expect(message?.msg).not.toContain(" cs1=");
          expect(message?.msg).not.toContain("|cs1=");
        }
      }
    },
  );
}

// ATTACK   The receiver accepts connections and reads nothing, or a byte now and then.
// DANGER   Events pile up in the server's memory until it ends, or appends wait for the receiver.
// EXPECT   Appends go on at their own pace, what waits is in the log, memory stays flat, and the operator hears of it.
test("a receiver that never reads costs no memory and holds nothing up", async () => {
  const { receiver } = await receiverThat((socket) => socket.pause());
  const { record, reports, cursorPath } = await forward({ ...receiver, warnAfterEvents: 1000 });
  const append = async (events: number): Promise<void> => {
    for (let group = 0; group < events; group += 500) {
      await Promise.all(Array.from({ length: 500 }, () => record.append(stop)));
    }
  };
  await append(10_000);
  const before = aliveBytes();
  await append(60_000); // 50 MB of messages: more than sockets of both sides hold
  expect(aliveBytes() - before).toBeLessThan(64 * 1024 * 1024);
  await expect.poll(() => reports.join("\n")).toMatch(/events have not arrived at 127\.0\.0\.1:\d+/);
  expect(settled(cursorPath)).toBe(0);
}, 90_000);

// ATTACK   Something that is no syslog receiver, but has a good certificate, listens there: it answers, and closes cleanly.
// DANGER   Its clean close is taken for "I have read it all": events are never sent to the real one.
// EXPECT   A peer that says anything is not believed.
for (const answer of ["HTTP/1.1 400 Bad Request\r\n\r\n", "x", "\0".repeat(1_000_000)]) {
  test(`a receiver that answers ${JSON.stringify(answer.slice(0, 12))} is not believed`, async () => {
    const { receiver } = await receiverThat((socket) => {
      socket.resume();
      socket.end(answer);
    });
    const { record, reports, cursorPath } = await forward(receiver);
    await record.append(stop);
    await expect.poll(() => reports.join("\n")).toContain("it answers, which a syslog receiver never does");
    expect(settled(cursorPath)).toBe(0);
    expect(reports.join("\n")).not.toContain("HTTP");
  });
}

// ATTACK   The peer is no TLS server at all, and sends bytes without end.
// DANGER   A crash on the bytes, or memory for them.
// EXPECT   The connection is given up, with a reason; the record goes on.
test("a peer that speaks no TLS is given up", async () => {
  const { receiver } = await receiverStage();
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(Buffer.alloc(1_000_000, "no TLS here "));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  // A listening TCP server has an AddressInfo; a string is a pipe's name.
  const { port } = server.address() as AddressInfo;
  const { record, reports, cursorPath } = await forward({ ...receiver, port });
  await record.append(stop);
  await expect.poll(() => reports.join("\n")).toMatch(/can't be reached; events wait in the log.*\(ERR_SSL/);
  expect(settled(cursorPath)).toBe(0);
});

// ATTACK   A receiver closes each connection at once, cleanly, as one does that refuses a certificate after TLS 1.3 is up.
// DANGER   Each close is taken for a confirmation; each reconnect makes an event, which is shipped, and so on.
// EXPECT   Nothing is confirmed, and a handful of events tell of it.
test("a receiver that closes at once confirms nothing and fills no log", async () => {
  let connections = 0;
  const { receiver } = await receiverThat((socket) => {
    connections += 1;
    socket.end();
  });
  const { record, cursorPath } = await forward(receiver);
  await record.append(stop);
  await expect.poll(() => connections, { timeout: 20_000 }).toBeGreaterThan(3);
  expect(settled(cursorPath)).toBe(0);
  expect(record.lastSeq()).toBeLessThan(5);
});

// ATTACK   The receiver closes a connection only after a long while, slower than all that is sent on it could be read in.
// DANGER   It is never believed, and is sent the same events for ever.
// EXPECT   It is given fewer on a connection, until it can keep up, and everything arrives.
test("a receiver that reads slowly is given less at a time until it keeps up", async () => {
  const bytesAtOnce = 100_000;
  const arrived = new Set<number>();
  const { receiver } = await receiverThat((socket) => {
    let text = "";
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      text += chunk.toString("latin1");
    });
    socket.on("end", () => {
      if (bytes > bytesAtOnce) return; // it is still busy with them, and does not close
      for (const [, seq] of text.matchAll(/ seq="(\d+)"/g)) arrived.add(Number(seq));
      socket.end();
    });
  });
  const { record } = await forward(receiver, undefined, {}, { connectMs: 5000, writeMs: 5000, closeMs: 500 });
  await Promise.all(Array.from({ length: 300 }, () => record.append(stop)));
  await expect.poll(() => arrived.size, { timeout: 60_000 }).toBeGreaterThanOrEqual(301);
}, 90_000);
