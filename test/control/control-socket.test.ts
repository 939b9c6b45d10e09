import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { openEventLog } from "../../server/audit/event-log.ts";
import { connectControl, startControlSocket, type ServedLog } from "../../server/control/control-socket.ts";
import { EndpointError } from "../../server/errors.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { testRuntime } from "../harness/runtime.ts";

const started = (localUser = "admin"): AuditEvent => ({
  type: "import-started",
  localUser,
  files: [{ name: "a.csv", sha256: "00" }],
});
const finished: AuditEvent = { type: "import-finished", localUser: "admin", outcome: "succeeded", files: [] };

/** A log whose appends wait until they are let go, as those of a busy disk do. */
const createSlowLog = (): ServedLog & { readonly waiting: (() => void)[]; readonly events: AuditEvent[] } => {
  const waiting: (() => void)[] = [];
  const events: AuditEvent[] = [];
  return {
    waiting,
    events,
    siteState: () => undefined,
    collection: () => undefined,
    append: async (event) => {
      events.push(event);
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
};

const start = async (log: ServedLog, path = join(temporaryDirectory(), "state", "control")): Promise<string> => {
  const control = await startControlSocket({ path, log, recordState: () => ({ problems: [], held: 0 }) });
  onTestFinished(() => control.close());
  return path;
};

/** A client for tests that fails when there is no server. */
const open = async (path: string): Promise<NonNullable<Awaited<ReturnType<typeof connectControl>>>> => {
  const log = await connectControl(path);
  if (log === undefined) throw new Error("no server answers");
  onTestFinished(() => log.close());
  return log;
};

const collecting = (): ServedLog & { readonly events: AuditEvent[] } => {
  const events: AuditEvent[] = [];
  return {
    events,
    siteState: () => undefined,
    collection: () => undefined,
    append: async (event) => void events.push(event),
  };
};

const rawConnection = async (path: string): Promise<Socket> => {
  const socket = connect(path);
  socket.on("error", () => socket.destroy());
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
};

describe("events through the control socket", () => {
  test("come on the record of the running server, durable before the answer", async () => {
    const directory = temporaryDirectory();
    const log = await openEventLog({
      server: "pep-1",
      directory: join(directory, "audit", "log"),
      runtime: testRuntime({ now: () => new Date(0), uptimeMs: () => 0 }),
    });
    onTestFinished(() => log.close());
    const remote = await open(
      await start(
        { append: (event) => log.append(event), siteState: () => undefined, collection: () => undefined },
        join(directory, "state", "control"),
      ),
    );
    const recorded = (): string =>
      readdirSync(join(directory, "audit", "log"))
        .map((name) => readFileSync(join(directory, "audit", "log", name), "utf8"))
        .join("");

    await remote.append(started());
    expect(recorded()).toContain('"type":"import-started"');
    await remote.append(finished);
    expect(recorded()).toContain('"type":"import-finished"');
    expect(recorded().trim().split("\n")).toHaveLength(2);
  });

  test("are answered only when the append is done, one at a time", async () => {
    const log = createSlowLog();
    const remote = await open(await start(log));
    const order: string[] = [];
    const first = remote.append(started()).then(() => order.push("first answered"));
    const second = remote.append(finished).then(() => order.push("second answered"));
    await expect.poll(() => log.waiting.length).toBe(1);
    expect(log.events).toEqual([started()]);
    expect(order).toEqual([]);
    order.push("first durable");
    log.waiting[0]?.();
    await first;
    await expect.poll(() => log.waiting.length).toBe(2);
    order.push("second durable");
    log.waiting[1]?.();
    await second;
    expect(order).toEqual(["first durable", "first answered", "second durable", "second answered"]);
  });

  test("of two clients at a time are told apart", async () => {
    const log = collecting();
    const path = await start(log);
    const clients = await Promise.all([open(path), open(path)]);
    await Promise.all(
      clients.flatMap((client, index) => Array.from({ length: 20 }, () => client.append(started(`user-${index}`)))),
    );
    const users = log.events.map((event) => ("localUser" in event ? event.localUser : ""));
    expect(users.filter((user) => user === "user-0")).toHaveLength(20);
    expect(users.filter((user) => user === "user-1")).toHaveLength(20);
  });

  test("that can't be recorded come back as AuditUnavailable, and the connection goes on", async () => {
    let full = true;
    const path = await start({
      siteState: () => undefined,
      collection: () => undefined,
      append: async () => {
        if (full) throw new EndpointError("AuditUnavailable", "The disk is full.");
      },
    });
    const remote = await open(path);
    await expect(remote.append(started())).rejects.toMatchObject({
      category: "AuditUnavailable",
      cause: { message: "The disk is full." },
    });
    full = false;
    await remote.append(started());
  });

  test("of other kinds are not taken: nobody forges a disclosure", async () => {
    const log = collecting();
    const path = await start(log);
    const forged: AuditEvent[] = [
      { type: "server-stopped", reason: "forged" },
      { type: "disclosure", invocationId: "1", command: "Get-RecoveryKeys", how: "exec", keys: [] },
    ];
    for (const event of forged) {
      await expect((await open(path)).append(event)).rejects.toMatchObject({ category: "AuditUnavailable" });
    }
    await (await open(path)).append(started());
    expect(log.events).toEqual([started()]);
  });

  test("find the server gone: AuditUnavailable", async () => {
    const path = join(temporaryDirectory(), "control");
    const control = await startControlSocket({
      path,
      log: collecting(),
      recordState: () => ({ problems: [], held: 0 }),
    });
    const remote = await open(path);
    await control.close();
    await expect(remote.append(started())).rejects.toMatchObject({ category: "AuditUnavailable" });
    await expect(remote.append(started())).rejects.toMatchObject({ category: "AuditUnavailable" });
  });

  test("under way while the server closes still get their answer", async () => {
    const log = createSlowLog();
    const path = join(temporaryDirectory(), "control");
    const control = await startControlSocket({ path, log, recordState: () => ({ problems: [], held: 0 }) });
    const remote = await open(path);
    const idle = await rawConnection(path);
    const appended = remote.append(started());
    await expect.poll(() => log.waiting.length).toBe(1);
    const closed = control.close();
    await expect.poll(() => idle.destroyed).toBe(true);
    log.waiting[0]?.();
    await appended;
    await closed;
    expect(await connectControl(path)).toBeUndefined();
  });
});

describe("a peer that is not one of ours", () => {
  const valid = `${JSON.stringify({ append: started() })}\n`;

  test.each([
    ["no JSON", "hello\n"],
    ["half of it", `${valid.slice(0, -5)}\n`],
    ["another shape", '{"remove":1}\n'],
    ["an event and more", `${JSON.stringify({ append: started(), as: "root" })}\n`],
    ["an event with a field of its own", `${JSON.stringify({ append: { ...started(), seq: 1 } })}\n`],
    ["an empty line", "\n"],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a])],
    ["noise", Buffer.concat([randomBytes(5000), Buffer.from("\n")])],
    ["a prototype", '{"append":{"__proto__":{"type":"import-started"}}}\n'],
    ["more than a message may have", Buffer.alloc(9 * 1024 * 1024, 0x20)],
  ])("%s ends its connection; the server goes on", async (_, bytes) => {
    const log = collecting();
    const path = await start(log);
    const honest = await open(path);
    const socket = await rawConnection(path);
    // Not `once`, which rejects on the reset that comes before it.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(bytes);
    await closed;
    expect(log.events).toEqual([]);
    await honest.append(started());
    expect(log.events).toEqual([started()]);
  });

  test("a message in single bytes is a message; a request without its end is none", async () => {
    const log = collecting();
    const path = await start(log);
    const socket = await rawConnection(path);
    for (const byte of Buffer.from(valid)) socket.write(Buffer.from([byte]));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toBe('{"recorded":true}\n');
    socket.end(valid.trimEnd());
    await once(socket, "close");
    expect(log.events).toHaveLength(1);
  });

  test("too many connections do not keep an honest one out for good", async () => {
    const log = collecting();
    const path = await start(log);
    const sockets = await Promise.all(Array.from({ length: 20 }, () => rawConnection(path)));
    for (const socket of sockets) socket.destroy();
    await expect
      .poll(async () => {
        const remote = await connectControl(path);
        const outcome = await remote?.append(started()).then(
          () => "recorded",
          () => "refused",
        );
        await remote?.close();
        return outcome;
      })
      .toBe("recorded");
  });
});

describe("the socket's file", () => {
  test("has mode 0600 and goes away with the server", async () => {
    const path = join(temporaryDirectory(), "state", "control");
    const control = await startControlSocket({
      path,
      log: collecting(),
      recordState: () => ({ problems: [], held: 0 }),
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, ".."))).toEqual(["control"]);
    await control.close();
    expect(existsSync(path)).toBe(false);
  });

  test("of a dead server is replaced", async () => {
    const directory = temporaryDirectory();
    const path = join(directory, "control");
    const dead = createServer();
    dead.listen(join(directory, "dead"));
    await once(dead, "listening");
    // Renamed, so that closing the server leaves it behind, as a kill does.
    renameSync(join(directory, "dead"), path);
    dead.close();
    await once(dead, "close");
    expect(statSync(path).isSocket()).toBe(true);
    expect(await connectControl(path)).toBeUndefined();

    const log = collecting();
    await (await open(await start(log, path))).append(started());
    expect(log.events).toHaveLength(1);
  });

  test("of a live server is left alone", async () => {
    const log = collecting();
    const path = await start(log);
    await expect(
      startControlSocket({ path, log: collecting(), recordState: () => ({ problems: [], held: 0 }) }),
    ).rejects.toMatchObject({
      category: "ResourceExists",
    });
    await (await open(path)).append(started());
    expect(log.events).toHaveLength(1);
  });

  test("that is no socket is left alone", async () => {
    const path = join(temporaryDirectory(), "control");
    writeFileSync(path, "mine");
    await expect(
      startControlSocket({ path, log: collecting(), recordState: () => ({ problems: [], held: 0 }) }),
    ).rejects.toMatchObject({
      category: "ResourceExists",
    });
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  test("whose path is too long is refused with a message that says so", async () => {
    const path = join(temporaryDirectory(), "d".repeat(100), "control");
    await expect(
      startControlSocket({ path, log: collecting(), recordState: () => ({ problems: [], held: 0 }) }),
    ).rejects.toMatchObject({
      category: "InvalidArgument",
      message: expect.stringContaining("103 bytes"),
    });
  });

  test("that is not there means no server", async () => {
    expect(await connectControl(join(temporaryDirectory(), "control"))).toBeUndefined();
  });

  test.skipIf(process.getuid?.() === 0)(
    "that this account may not use is no reason to write past the server (skipped: root may use all)",
    async () => {
      const directory = join(temporaryDirectory(), "state");
      mkdirSync(directory);
      const path = await start(collecting(), join(directory, "control"));
      chmodSync(path, 0);
      await expect(connectControl(path)).rejects.toMatchObject({ category: "AuditUnavailable" });
    },
  );
});
