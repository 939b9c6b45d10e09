import { describe, expect, test, vi } from "vitest";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import { ask, certificatesForFile, connect, modes, newRequest, startServer } from "./client.ts";

const certificates = certificatesForFile();
const { authority: ca } = certificates;

const columns = [{ name: "Name", type: "nvarchar(64)" }] as const;

const answers: OnQuery = async ({ text }, respond, signal) => {
  respond.columns(columns);
  if (text === "one") await respond.row(["one"]);
  else if (text === "wait") await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  else for (;;) await respond.row(["endless"]);
};

describe.each(modes)("$mode", ({ encryption }) => {
  const start = async (options = {}) => {
    const server = await startServer({ tls: certificates.server, onQuery: answers });
    const connection = await connect({ port: server.port, ca, options: { ...encryption, ...options } });
    return { server, connection };
  };

  test("a cancel before the first row ends the request; the connection is used again", async () => {
    const { server, connection } = await start();
    const { request, answer } = newRequest("wait");
    connection.execSql(request);
    await vi.waitFor(() => expect(server.requests()).toHaveLength(1));
    connection.cancel();
    expect(await answer).toMatchObject({ error: { code: "ECANCEL" }, rows: [] });
    expect(await ask(connection, "one")).toMatchObject({ rows: [["one"]], error: undefined });
    expect(server.attentions()).toBe(1);
    expect(server.accepted()).toBe(1);
  });

  test("a cancel in the middle of rows lets no row through after it", async () => {
    const { connection } = await start();
    let afterCancel = 0;
    let cancelled = false;
    let received = 0;
    const { request, answer } = newRequest("endless", [], {
      keepRows: false,
      onRow: () => {
        received += 1;
        if (cancelled) afterCancel += 1;
        if (received !== 5000) return;
        cancelled = true;
        connection.cancel();
      },
    });
    connection.execSql(request);
    expect((await answer).error).toMatchObject({ code: "ECANCEL" });
    expect(afterCancel).toBe(0);
    expect(await ask(connection, "one")).toMatchObject({ rows: [["one"]], error: undefined });
  });

  test("a cancel while the reader has paused ends the request; the connection is used again", async () => {
    const { connection } = await start();
    const { request, rows, answer } = newRequest("endless", [], { onRow: () => request.pause() });
    connection.execSql(request);
    await vi.waitFor(() => expect(rows.length).toBeGreaterThan(0));
    connection.cancel();
    expect((await answer).error).toMatchObject({ code: "ECANCEL" });
    expect(await ask(connection, "one")).toMatchObject({ rows: [["one"]], error: undefined });
  });

  test("a cancel that the server ignores ends the connection after the driver's time", async () => {
    const { server, connection } = await start({ cancelTimeout: 100 });
    server.setFaults({ ignoreAttention: true });
    const { request, answer } = newRequest("wait");
    connection.execSql(request);
    await vi.waitFor(() => expect(server.requests()).toHaveLength(1));
    connection.cancel();
    expect((await answer).error).toMatchObject({ code: "ETIMEOUT", message: expect.stringContaining("cancel") });
    await vi.waitFor(() => expect(server.connections()).toBe(0));
    expect(server.attentions()).toBe(1);
  });

  test("the driver's request time-out cancels, and the connection is used again", async () => {
    const { server, connection } = await start({ requestTimeout: 100 });
    expect((await ask(connection, "wait")).error).toMatchObject({ code: "ETIMEOUT" });
    expect(await ask(connection, "one")).toMatchObject({ rows: [["one"]], error: undefined });
    expect(server.attentions()).toBe(1);
    expect(server.accepted()).toBe(1);
  });

  test("rows and then silence: the driver's time-out has ended, but a cancel is answered", async () => {
    const { server, connection } = await start();
    server.setFaults({ query: { afterRows: 10, does: "wait" } });
    const { request, rows, answer } = newRequest("endless");
    connection.execSql(request);
    await vi.waitFor(() => expect(rows).toHaveLength(10));
    connection.cancel();
    expect((await answer).error).toMatchObject({ code: "ECANCEL" });
    server.setFaults({});
    expect(await ask(connection, "one")).toMatchObject({ rows: [["one"]], error: undefined });
  });

  test("closing the connection in the middle of rows stops the server's answer", async () => {
    const { server, connection } = await start();
    const { request, rows, answer } = newRequest("endless");
    connection.execSql(request);
    await vi.waitFor(() => expect(rows.length).toBeGreaterThan(0));
    connection.close();
    expect((await answer).error).toMatchObject({ code: "ECLOSE" });
    await vi.waitFor(() => expect(server.connections()).toBe(0));
  });
});
