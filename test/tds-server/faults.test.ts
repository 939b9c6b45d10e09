import { describe, expect, test, vi } from "vitest";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import type { Break, Stage } from "../harness/tds-server/faults.ts";
import {
  ask,
  certificatesForFile,
  connect,
  connectError,
  modes,
  newConnection,
  newRequest,
  open,
  startServer,
  tracesOf,
} from "./client.ts";

const certificates = certificatesForFile();
const { authority: ca } = certificates;

const hundredRows: OnQuery = async (_request, respond) => {
  respond.columns([
    { name: "N", type: "int" },
    { name: "Name", type: "nvarchar(64)" },
  ]);
  for (let n = 0; n < 100; n += 1) await respond.row([n, `computer ${n}`]);
};

const beforeLogin: readonly Stage[] = ["accept", "prelogin", "tls", "login", "settings"];
const losses: readonly Break[] = ["drop", "reset"];
const lost = ["ESOCKET", "ECONNRESET", "ECLOSE"];

describe.each(modes)("$mode", ({ encryption }) => {
  const start = () => startServer({ tls: certificates.server, onQuery: hundredRows });

  test.each(beforeLogin)("a stall at %s ends with the driver's connect time-out", async (stage) => {
    const server = await start();
    server.setFaults({ at: { [stage]: "stall" } });
    const logins = stage === "login" || stage === "settings" ? 1 : 0;
    // On a busy machine the time may be over before the stage is reached.
    for (let connectTimeout = 300; ; connectTimeout *= 3) {
      const error = await connectError({ port: server.port, ca, options: { ...encryption, connectTimeout } });
      expect(tracesOf(error)).toContain("ETIMEOUT");
      if (server.logins().length >= logins) break;
    }
    expect(server.logins()).toHaveLength(logins);
    await vi.waitFor(() => expect(server.connections()).toBe(0));
  });

  test.each(beforeLogin.flatMap((stage) => losses.map((loss) => ({ stage, loss }))))(
    "a $loss at $stage is a lost connection, not a hang",
    async ({ stage, loss }) => {
      const server = await start();
      server.setFaults({ at: { [stage]: loss } });
      const error = await connectError({ port: server.port, ca, options: encryption });
      expect(tracesOf(error).some((trace) => lost.some((code) => code === trace))).toBe(true);
      server.setFaults({});
      await connect({ port: server.port, ca, options: encryption });
    },
  );

  test("a stall at the query is cancelled in vain, and the connection is given up", async () => {
    const server = await start();
    server.setFaults({ at: { query: "stall" } });
    const options = { ...encryption, requestTimeout: 100, cancelTimeout: 100 };
    const connection = await connect({ port: server.port, ca, options });
    expect((await ask(connection, "x")).error).toMatchObject({ code: "ETIMEOUT" });
    await vi.waitFor(() => expect(server.connections()).toBe(0));
  });

  test.each(losses)("a %s at the query fails it and ends the connection", async (loss) => {
    const server = await start();
    server.setFaults({ at: { query: loss } });
    const connection = newConnection({ port: server.port, ca, options: encryption });
    const ended = new Promise<void>((resolve) => connection.on("end", resolve));
    await open(connection);
    expect((await ask(connection, "x")).error).toBeInstanceOf(Error);
    await ended;
    expect((await ask(connection, "x")).error).toMatchObject({ code: "EINVALIDSTATE" });
  });

  test.each(losses)("a %s after ten rows fails the request and ends the connection", async (loss) => {
    const server = await start();
    server.setFaults({ query: { afterRows: 10, does: loss } });
    const connection = newConnection({ port: server.port, ca, options: encryption });
    const ended = new Promise<void>((resolve) => connection.on("end", resolve));
    await open(connection);
    const { error, rows } = await ask(connection, "x");
    expect(error).toBeInstanceOf(Error);
    // A reset may overtake what was sent before it.
    if (loss === "drop") expect(rows).toHaveLength(10);
    expect(rows.length).toBeLessThanOrEqual(10);
    await ended;
  });

  test("a stall after ten rows answers no cancel", async () => {
    const server = await start();
    server.setFaults({ query: { afterRows: 10, does: "stall" } });
    const connection = await connect({ port: server.port, ca, options: { ...encryption, cancelTimeout: 100 } });
    const { request, rows, answer } = newRequest("x");
    connection.execSql(request);
    await vi.waitFor(() => expect(rows).toHaveLength(10));
    connection.cancel();
    expect((await answer).error).toMatchObject({ code: "ETIMEOUT" });
    expect(server.attentions()).toBe(0);
  });

  test("an idle connection that the server ends is reported, not only found at the next request", async () => {
    const server = await start();
    const connection = newConnection({ port: server.port, ca, options: encryption });
    const ended = new Promise<void>((resolve) => connection.on("end", resolve));
    await open(connection);
    await server.close();
    await ended;
    expect((await ask(connection, "x")).error).toMatchObject({ code: "EINVALIDSTATE" });
  });

  test("error tokens before any row, or after some, with all their numbers", async () => {
    const server = await start();
    const connection = await connect({ port: server.port, ca, options: encryption });
    const errors = [
      { number: 229, state: 5, class: 14, message: "denied" },
      { number: 8180, message: "not prepared" },
    ];
    server.setFaults({ query: { does: errors.slice(0, 1) } });
    expect(await ask(connection, "x")).toMatchObject({
      rows: [],
      columns: [],
      error: { number: 229, state: 5, class: 14 },
    });
    server.setFaults({ query: { afterRows: 7, does: errors } });
    const after = await ask(connection, "x");
    expect(after.rows).toHaveLength(7);
    expect(tracesOf(after.error)).toEqual(expect.arrayContaining([229, 8180]));
    server.setFaults({ query: { afterRows: 100, does: errors.slice(1) } });
    const atEnd = await ask(connection, "x");
    expect(atEnd.rows).toHaveLength(100);
    expect(atEnd.error).toMatchObject({ number: 8180 });
    server.setFaults({ query: { when: ({ text }) => text === "other", does: errors } });
    expect(await ask(connection, "x")).toMatchObject({ error: undefined, rowCount: 100 });
  });

  test("an unknown token and a truncated row are parse errors that end the connection", async () => {
    for (const [does, message] of [
      ["unknown token", /unknown type: 66/i],
      ["truncated row", /unexpected end of data/i],
    ] as const) {
      const server = await start();
      server.setFaults({ query: { afterRows: 5, does } });
      const connection = await connect({ port: server.port, ca, options: encryption });
      const { error, rows } = await ask(connection, "x");
      expect(error?.message).toMatch(message);
      expect(rows).toHaveLength(5);
      await vi.waitFor(() => expect(server.connections()).toBe(0));
    }
  });

  test.each([1, 3, 7])("replies in pieces of %i bytes are put together again", async (bytesPerWrite) => {
    const server = await start();
    server.setFaults({ bytesPerWrite });
    const connection = await connect({ port: server.port, ca, options: encryption });
    const { rows, error } = await ask(connection, "x");
    expect(error).toBeUndefined();
    expect(rows).toEqual(Array.from({ length: 100 }, (_, n) => [n, `computer ${n}`]));
  });
});

test("faults can differ by connection", async () => {
  const server = await startServer({
    tls: certificates.server,
    onQuery: hundredRows,
    faults: (connection) => (connection === 1 ? { at: { accept: "reset" } } : {}),
  });
  const options = { port: server.port, ca, options: { encrypt: true } };
  expect(tracesOf(await connectError(options))).toContain("ESOCKET");
  expect((await ask(await connect(options), "x")).rowCount).toBe(100);
});
