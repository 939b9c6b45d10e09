import { TYPES } from "tedious";
import type { Connection } from "tedious";
import { describe, expect, test, vi } from "vitest";
import type { OnQuery } from "../harness/tds-server/answer.ts";
import type { TdsServer } from "../harness/tds-server/server.ts";
import type { Column } from "../harness/tds-server/tokens.ts";
import type { SqlValue } from "../harness/tds-server/types.ts";
import { ask, certificatesForFile, connect, modes, newRequest, startServer, tracesOf } from "./client.ts";
import type { ClientParameter, ConnectionOptions } from "./client.ts";

const certificates = certificatesForFile();

const begin = async (
  onQuery: OnQuery,
  options: ConnectionOptions = { encrypt: "strict" },
): Promise<{ readonly server: TdsServer; readonly connection: Connection }> => {
  const server = await startServer({ tls: certificates.server, onQuery });
  return { server, connection: await connect({ port: server.port, ca: certificates.authority, options }) };
};

const nothing: OnQuery = () => undefined;

const guid = "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0";
const long = "😀ä".repeat(10_000);

/** Column, the value the server sends, the value the driver gives. */
const columns: readonly (readonly [Column, SqlValue, unknown])[] = [
  [{ name: "short", type: "nvarchar(64)" }, "Ä😀 'quoted'", "Ä😀 'quoted'"],
  [{ name: "long", type: "nvarchar(max)" }, long, long],
  [{ name: "empty", type: "nvarchar(max)" }, "", ""],
  [{ name: "latin", type: "varchar(64)" }, "Grüße", "Grüße"],
  [{ name: "latinLong", type: "varchar(max)" }, "é".repeat(9000), "é".repeat(9000)],
  [{ name: "padded", type: "char(4)" }, "U", "U   "],
  [{ name: "padded2", type: "nchar(3)" }, "ü", "ü  "],
  [{ name: "bytes", type: "varbinary(8)" }, Buffer.from("00ff10", "hex"), Buffer.from("00ff10", "hex")],
  [{ name: "blob", type: "varbinary(max)" }, Buffer.alloc(20_000, 7), Buffer.alloc(20_000, 7)],
  [{ name: "guid", type: "uniqueidentifier" }, guid, guid],
  [{ name: "moment", type: "datetime2(7)" }, "2026-11-22T12:34:56.7891234", new Date("2026-11-22T12:34:56.789Z")],
  [{ name: "moment0", type: "datetime2(0)" }, new Date("1601-01-01T00:00:00Z"), new Date("1601-01-01T00:00:00Z")],
  [{ name: "moment3", type: "datetime2(3)" }, "9999-12-31T23:59:59.999", new Date("9999-12-31T23:59:59.999Z")],
  [{ name: "old", type: "datetime" }, "1999-12-31T23:59:59.997", new Date("1999-12-31T23:59:59.997Z")],
  [{ name: "tiny", type: "tinyint" }, 255, 255],
  [{ name: "small", type: "smallint" }, -32_768, -32_768],
  [{ name: "int", type: "int" }, -2_147_483_648, -2_147_483_648],
  [{ name: "big", type: "bigint" }, 9_223_372_036_854_775_807n, "9223372036854775807"],
  [{ name: "bit", type: "bit" }, true, true],
];

describe.each(modes)("$mode", ({ encryption }) => {
  test("every type comes back as it was sent, NULLs as well", async () => {
    const { connection } = await begin(async (_request, respond) => {
      respond.columns(columns.map(([column]) => column));
      await respond.row(columns.map(([, sent]) => sent));
      await respond.row(columns.map(() => null));
      await respond.row(columns.map(([, sent], i) => (i % 3 === 0 ? null : sent)));
    }, encryption);
    const { rows, error } = await ask(connection, "SELECT everything");
    expect(error).toBeUndefined();
    expect(rows).toEqual([
      columns.map(([, , received]) => received),
      columns.map(() => null),
      columns.map(([, , received], i) => (i % 3 === 0 ? null : received)),
    ]);
  });

  test("parameters arrive typed and unchanged", async () => {
    const { server, connection } = await begin(nothing, encryption);
    const injection = "'; DROP TABLE x; --";
    const moment = new Date("2026-11-22T12:34:56.789Z");
    const sent: readonly (ClientParameter & { readonly seen: { readonly type: string; readonly value: unknown } })[] = [
      { name: "a", type: TYPES.NVarChar, value: injection, seen: { type: "nvarchar(19)", value: injection } },
      { name: "b", type: TYPES.NVarChar, value: long, seen: { type: "nvarchar(max)", value: long } },
      { name: "c", type: TYPES.VarChar, value: "Grüße", seen: { type: "varchar(5)", value: "Grüße" } },
      {
        name: "d",
        type: TYPES.VarBinary,
        value: Buffer.from([0, 255]),
        seen: { type: "varbinary(2)", value: Buffer.from([0, 255]) },
      },
      {
        name: "e",
        type: TYPES.VarBinary,
        value: Buffer.alloc(9000, 3),
        seen: { type: "varbinary(max)", value: Buffer.alloc(9000, 3) },
      },
      { name: "f", type: TYPES.UniqueIdentifier, value: guid, seen: { type: "uniqueidentifier", value: guid } },
      {
        name: "g",
        type: TYPES.DateTime2,
        value: moment,
        options: { scale: 7 },
        seen: { type: "datetime2(7)", value: "2026-11-22T12:34:56.7890000" },
      },
      {
        name: "h",
        type: TYPES.DateTime,
        value: new Date("2026-11-22T12:34:56.790Z"),
        seen: { type: "datetime", value: "2026-11-22T12:34:56.790" },
      },
      { name: "i", type: TYPES.Int, value: -5, seen: { type: "int", value: -5 } },
      { name: "j", type: TYPES.BigInt, value: 2n ** 60n, seen: { type: "bigint", value: 2n ** 60n } },
      { name: "k", type: TYPES.SmallInt, value: -7, seen: { type: "smallint", value: -7 } },
      { name: "l", type: TYPES.TinyInt, value: 200, seen: { type: "tinyint", value: 200 } },
      { name: "m", type: TYPES.Bit, value: true, seen: { type: "bit", value: true } },
      { name: "n", type: TYPES.NVarChar, value: null, seen: { type: "nvarchar(4000)", value: null } },
      { name: "o", type: TYPES.Int, value: null, seen: { type: "int", value: null } },
    ];
    const { error } = await ask(connection, "UPDATE t SET a = @a", sent);
    expect(error).toBeUndefined();
    expect(server.requests()).toEqual([
      {
        kind: "rpc",
        procedure: "sp_executesql",
        text: "UPDATE t SET a = @a",
        parameters: sent.map(({ name, seen }) => ({ name, ...seen, output: false })),
        database: "CM_ABC",
        user: "pep_reader",
        readOnlyIntent: false,
        connection: 1,
      },
    ]);
  });
});

test("a batch arrives as text, without parameters", async () => {
  const { server, connection } = await begin(nothing);
  const text = "CREATE CERTIFICATE x -- 'ä'\nGO";
  expect((await ask(connection, text, [], "execSqlBatch")).error).toBeUndefined();
  expect(server.requests()).toMatchObject([{ kind: "batch", procedure: "", text, parameters: [] }]);
});

test("a procedure gets its parameters by name and gives back rows, output parameters and a status", async () => {
  const { server, connection } = await begin(async (_request, respond) => {
    respond.columns([{ name: "RecoveryKey", type: "nvarchar(55)" }]);
    await respond.row(["000000"]);
    respond.returnValue({ name: "@VolumeTypeId", type: "int", value: 2 });
    respond.returnValue({ name: "@Note", type: "nvarchar(max)", value: "ok" });
    respond.returnStatus(7);
  });
  const answer = await ask(
    connection,
    "RecoveryAndHardwareRead.GetRecoveryKey",
    [
      { name: "RecoveryKeyId", type: TYPES.VarChar, value: guid },
      { name: "VolumeTypeId", type: TYPES.Int, value: null, output: true },
      { name: "Note", type: TYPES.NVarChar, value: null, output: true },
    ],
    "callProcedure",
  );
  expect(answer).toMatchObject({ rows: [["000000"]], returned: { VolumeTypeId: 2, Note: "ok" }, returnStatus: 7 });
  expect(server.requests()).toMatchObject([
    {
      kind: "rpc",
      procedure: "RecoveryAndHardwareRead.GetRecoveryKey",
      text: "",
      parameters: [
        { name: "RecoveryKeyId", value: guid, output: false },
        { name: "VolumeTypeId", output: true },
        { name: "Note", output: true },
      ],
    },
  ]);
});

test("a prepared statement is run with other values, and is gone after it is unprepared", async () => {
  const { server, connection } = await begin(async ({ parameters }, respond) => {
    respond.columns([{ name: "Echo", type: "int" }]);
    await respond.row([parameters[0]?.value ?? null]);
  });
  const { request, rows, answer } = newRequest("SELECT @n AS Echo");
  request.addParameter("n", TYPES.Int);
  const prepared = new Promise<void>((resolve) => request.on("prepared", resolve));
  connection.prepare(request);
  await prepared;
  const done = vi.fn<() => void>();
  const execute = async (n: number): Promise<void> => {
    done.mockClear();
    request.once("requestCompleted", done);
    connection.execute(request, { n });
    await vi.waitFor(() => expect(done).toHaveBeenCalled());
  };
  await execute(3);
  await execute(4);
  expect(rows).toEqual([[3], [4]]);
  expect((await answer).error).toBeUndefined();
  expect(server.requests().map(({ procedure, text }) => `${procedure}: ${text}`)).toEqual([
    "sp_execute: SELECT @n AS Echo",
    "sp_execute: SELECT @n AS Echo",
  ]);
  done.mockClear();
  request.once("requestCompleted", done);
  connection.unprepare(request);
  await vi.waitFor(() => expect(done).toHaveBeenCalled());
  const again = newRequest("SELECT @n AS Echo", [{ name: "n", type: TYPES.Int, value: 5 }]);
  again.request.handle = request.handle;
  connection.execute(again.request, { n: 5 });
  expect(tracesOf((await again.answer).error)).toContain(8179);
});

test("sp_prepexec and a nameless value: both at once, the handle comes back", async () => {
  const { server, connection } = await begin(async ({ parameters }, respond) => {
    respond.columns([{ name: "Echo", type: "int" }]);
    await respond.row([parameters[0]?.value ?? null]);
  });
  const answer = await ask(
    connection,
    "sp_prepexec",
    [
      { name: "handle", type: TYPES.Int, value: null, output: true },
      { name: "params", type: TYPES.NVarChar, value: "@n int" },
      { name: "stmt", type: TYPES.NVarChar, value: "SELECT @n" },
      { name: "", type: TYPES.Int, value: 9 },
    ],
    "callProcedure",
  );
  expect(answer).toMatchObject({ rows: [[9]], returned: { handle: 1 } });
  expect(server.requests()).toMatchObject([
    { procedure: "sp_prepexec", text: "SELECT @n", parameters: [{ name: "n", value: 9 }] },
  ]);
});

test("several results of one batch keep their columns and counts", async () => {
  const { connection } = await begin(async (_request, respond) => {
    respond.columns([{ name: "A", type: "int" }]);
    await respond.row([1]);
    respond.columns([{ name: "B", type: "bit" }]);
    await respond.row([false]);
    respond.done();
    respond.done(41);
  });
  const answer = await ask(connection, "several", [], "execSqlBatch");
  expect(answer).toMatchObject({ columns: [["A"], ["B"]], rows: [[1], [false]], rowCount: 43, error: undefined });
});

test("one error keeps number, state, class, procedure and line; the connection stays usable", async () => {
  const { connection } = await begin(({ text }, respond) => {
    if (text === "good") return;
    respond.error({
      number: 229,
      message: "The EXECUTE permission was denied.",
      state: 5,
      class: 14,
      procedure: "P",
      line: 3,
    });
  });
  const { error } = await ask(connection, "bad");
  expect(error).toMatchObject({ code: "EREQUEST", number: 229, state: 5, class: 14, procName: "P", lineNumber: 3 });
  expect((await ask(connection, "good")).error).toBeUndefined();
});

test("two errors are an AggregateError with both numbers", async () => {
  const { connection } = await begin((_request, respond) => {
    respond.error({ number: 229, message: "denied" });
    respond.error({ number: 8180, message: "could not be prepared" });
  });
  const { error } = await ask(connection, "bad");
  expect(error).toBeInstanceOf(AggregateError);
  expect(tracesOf(error)).toEqual(expect.arrayContaining([229, 8180]));
});

test("an error after rows leaves the rows and fails the request", async () => {
  const { connection } = await begin(async (_request, respond) => {
    respond.columns([{ name: "N", type: "int" }]);
    for (let n = 0; n < 500; n += 1) await respond.row([n]);
    respond.error({ number: 1205, class: 13, message: "deadlock victim" });
  });
  const { error, rows } = await ask(connection, "SELECT rows");
  expect(rows).toHaveLength(500);
  expect(error).toMatchObject({ number: 1205 });
});

test("an information is no error", async () => {
  const { connection } = await begin((_request, respond) => respond.info({ number: 15213, message: "expired" }));
  const seen = vi.fn<(number: number) => void>();
  connection.on("infoMessage", ({ number }) => seen(number));
  expect((await ask(connection, "x")).error).toBeUndefined();
  expect(seen).toHaveBeenCalledWith(15213);
});

test("a second request while one runs is refused by the driver and harms neither", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { server, connection } = await begin(async (_request, respond) => {
    respond.columns([{ name: "N", type: "int" }]);
    await released;
    await respond.row([1]);
  });
  const first = ask(connection, "first");
  await vi.waitFor(() => expect(server.requests()).toHaveLength(1));
  const second = await ask(connection, "second");
  release();
  expect(second.error).toMatchObject({ code: "EINVALIDSTATE" });
  expect(await first).toMatchObject({ rows: [[1]], error: undefined });
  expect(server.requests()).toHaveLength(1);
});
