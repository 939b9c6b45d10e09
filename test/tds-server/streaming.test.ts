import type { Connection } from "tedious";
import { describe, expect, test, vi } from "vitest";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import { aliveBytes } from "../harness/memory.ts";
import { rounds } from "../harness/share.ts";
import type { TdsServer } from "../harness/tds-server/server.ts";
import { certificatesForFile, connect, modes, newRequest, startServer } from "./client.ts";
import type { ConnectionOptions } from "./client.ts";

const certificates = certificatesForFile();

const begin = async (
  onQuery: OnQuery,
  options: ConnectionOptions = { encrypt: "strict" },
): Promise<{ readonly server: TdsServer; readonly connection: Connection }> => {
  const server = await startServer({ tls: certificates.server, onQuery });
  return { server, connection: await connect({ port: server.port, ca: certificates.authority, options }) };
};

const guid = "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0";

describe.each(modes)("$mode", ({ encryption }) => {
  test("100,000 rows come whole and in order through a reader that pauses", async () => {
    const count = 100_000;
    const { connection } = await begin(async (_request, respond) => {
      respond.columns([
        { name: "Id", type: "int" },
        { name: "Name", type: "nvarchar(64)" },
      ]);
      for (let i = 0; i < count; i += 1) await respond.row([i, `computer ${i}`]);
    }, encryption);
    let received = 0;
    const { request, rows, answer } = newRequest("SELECT rows", [], {
      onRow: () => {
        received += 1;
        if (received % 10_000 !== 0) return;
        request.pause();
        setImmediate(() => request.resume());
      },
    });
    connection.execSql(request);
    const { error, rowCount } = await answer;
    expect(error).toBeUndefined();
    expect(rowCount).toBe(count);
    expect(rows.every(([id, name], i) => id === i && name === `computer ${i}`)).toBe(true);
    expect(rows).toHaveLength(count);
  });
});

test("a reader that stops holds the server back", async () => {
  const count = 1_000_000;
  let sent = 0;
  const { server, connection } = await begin(async (_request, respond) => {
    respond.columns([{ name: "Name", type: "nvarchar(64)" }]);
    for (; sent < count; sent += 1) await respond.row(["a computer with a name of some length"]);
  });
  const { request, rows, answer } = newRequest("SELECT rows", [], { onRow: () => request.pause() });
  connection.execSql(request);
  await vi.waitFor(() => expect(rows.length).toBeGreaterThan(0));
  // The server has stopped when two looks, a few turns of the event loop apart, find the same number.
  let before = -1;
  await vi.waitFor(
    () => {
      const now = sent;
      const stands = now === before;
      before = now;
      expect(stands).toBe(true);
    },
    { interval: 100, timeout: 10_000 },
  );
  expect(sent).toBeLessThan(count / 2);
  connection.cancel();
  expect((await answer).error).toMatchObject({ code: "ECANCEL" });
  expect(server.attentions()).toBe(1);
});

const most = rounds(300_000, 1_000_000);

test(`${most} rows take no more memory than a tenth of them`, async () => {
  const { connection } = await begin(async (_request, respond) => {
    respond.columns([
      { name: "ComputerName", type: "nvarchar(63)" },
      { name: "RecoveryKeyId", type: "uniqueidentifier" },
      { name: "LastUpdateTime", type: "datetime2(7)" },
    ]);
    const moment = new Date("2026-11-22T12:34:56.789Z");
    for (let i = 0; i < most; i += 1) await respond.row([`COMPUTER-${i}`, guid, moment]);
  });
  const samples: number[] = [];
  let received = 0;
  const { request, answer } = newRequest("SELECT rows", [], {
    keepRows: false,
    onRow: () => {
      received += 1;
      if (received % (most / 10) === 0) samples.push(aliveBytes() / 1e6);
    },
  });
  connection.execSql(request);
  expect((await answer).error).toBeUndefined();
  expect(received).toBe(most);
  expect(samples).toHaveLength(10);
  const [first = 0, ...later] = samples;
  expect(Math.max(...later) - first).toBeLessThan(20);
});
