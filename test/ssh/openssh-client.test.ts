import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ClientChannel } from "ssh2";
import { describe, expect, test, vi } from "vitest";
import type { PseudoTerminal, TerminalSize } from "../../server/session/contract.ts";
import { fingerprintOf } from "../../server/identity/public-key.ts";
import { logIn } from "../harness/ssh-attacker.ts";
import { hasOpenSsh, keyFile, keygen, publicLine, runSsh, startSsh } from "../harness/ssh-attacker-openssh.ts";
import { echoHost, startTestServer } from "../harness/ssh-attacker-server.ts";

const utf8 = new TextEncoder();

describe.runIf(hasOpenSsh)("with OpenSSH's client", () => {
  test("a command's output, errors and exit status arrive", async () => {
    const it = await startTestServer(echoHost);
    const ran = await runSsh(it, { command: ["Get-Thing", "-Name", "Ünï"] });
    expect(ran).toMatchObject({ status: 7, stdout: "support: Get-Thing -Name Ünï\n", stderr: "said\n" });
    await vi.waitFor(() => expect(it.eventsOf("connection-closed")).toHaveLength(1));
    expect(it.events.map((event) => event.type)).toEqual(["connection-opened", "authentication", "connection-closed"]);
    const [connectionId] = new Set(it.events.map((event) => ("connectionId" in event ? event.connectionId : "")));
    expect(it.events).toMatchObject([
      { connectionId, clientAddress: "127.0.0.1", clientSoftware: expect.stringMatching(/^OpenSSH_/) },
      {
        connectionId,
        outcome: "accepted",
        connectedUser: "support",
        keyFingerprint: expect.stringMatching(/^SHA256:/),
      },
      { connectionId, connectedUser: "support" },
    ]);
    expect(it.problems).toEqual([]);
  });

  test.each([
    ["ed25519", undefined],
    ["rsa", 3072],
    ["rsa", 4096],
    ["ecdsa", 256],
    ["ecdsa", 384],
    ["ecdsa", 521],
  ] as const)("an %s key of %s bits logs in, whatever the case of the name", async (type, bits) => {
    const it = await startTestServer(echoHost);
    const key = keygen(it.directory, type, bits);
    it.authorize("exporter", publicLine(key));
    const ran = await runSsh(it, { key, user: "Exporter", command: ["hello"] });
    expect(ran).toMatchObject({ status: 7, stdout: "exporter: hello\n" });
    const blob = Buffer.from(publicLine(key).split(" ")[1] ?? "", "base64");
    expect(it.eventsOf("authentication")).toMatchObject([
      { outcome: "accepted", connectedUser: "exporter", keyFingerprint: fingerprintOf(blob) },
    ]);
  });

  test("a key of somebody else and a password are refused, and the record says why", async () => {
    const it = await startTestServer(echoHost);
    const key = keygen(it.directory, "ed25519");
    const ran = await runSsh(it, { key, command: ["hello"] });
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain("Permission denied (publickey)");
    expect(it.eventsOf("authentication")).toMatchObject([
      { outcome: "refused", claimedUser: "support", reason: "not a key of this user" },
    ]);
  });

  test("the legal notice is shown before log-in", async () => {
    const it = await startTestServer(echoHost, { banner: "Authorised use only.\nSessions are recorded." });
    const ran = await runSsh(it, { command: ["x"], args: ["-o", "LogLevel=INFO"] });
    expect(ran.stderr.replaceAll("\r", "")).toContain("Authorised use only.\nSessions are recorded.\n");
  });

  test.each(["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr"])(
    "50 MB arrive intact over %s, with key exchanges in between",
    { timeout: 60_000 },
    async (cipher) => {
      const hash = createHash("sha256");
      const total = 50_000_000;
      const it = await startTestServer(
        async (_connection, _request, channel) => {
          const block = Buffer.alloc(100_000);
          for (let sent = 0; sent < total; sent += block.length) {
            for (let at = 0; at < block.length; at += 4) block.writeUInt32LE((sent + at) >>> 0, at);
            hash.update(block);
            await channel.write(block);
          }
          await channel.end(0);
        },
        { limits: { rekeyBytes: 8 * 1024 * 1024 } },
      );
      const ran = await runSsh(it, { command: ["x"], args: ["-c", cipher, "-o", "RekeyLimit=16M"] });
      expect(ran).toMatchObject({ status: 0, stdoutBytes: total });
      expect(ran.stdoutSha256).toBe(hash.digest("hex"));
      expect(it.eventsOf("connection-dropped")).toEqual([]);
    },
  );

  test("5 MB of standard input arrive intact, to the end of file, at the pace of the reader", async () => {
    const input = Buffer.alloc(5_000_000, "standard input ");
    const it = await startTestServer(async (_connection, _request, channel) => {
      const hash = createHash("sha256");
      for await (const bytes of channel.input) {
        hash.update(bytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await channel.write(utf8.encode(hash.digest("hex")));
      await channel.end(0);
    });
    const ran = await runSsh(it, { command: ["x"], input });
    expect(ran).toMatchObject({ status: 0, stdout: createHash("sha256").update(input).digest("hex") });
  });

  test("a command that ends without reading its input ends the client", async () => {
    const it = await startTestServer(echoHost);
    const ran = await runSsh(it, { command: ["x"], input: Buffer.alloc(3_000_000) });
    expect(ran.status).toBe(7);
  });

  test("a terminal is passed on with its name and size", async () => {
    let terminal: PseudoTerminal | undefined;
    const it = await startTestServer(async (connection, request, channel) => {
      ({ terminal } = request);
      await echoHost(connection, request, channel);
    });
    await runSsh(it, { args: ["-tt"], command: ["x"] });
    // No terminal behind the client: it sends 0 by 0.
    expect(terminal).toEqual({ term: "xterm-256color", columns: 80, rows: 24 });
    await runSsh(it, { args: ["-T"], command: ["x"] });
    expect(terminal).toBeUndefined();
  });

  test("several sessions share one connection, and each gets its own", async () => {
    const it = await startTestServer(echoHost);
    const control = ["-o", `ControlPath=${join(it.directory, "c")}`];
    const key = keyFile(it);
    const primary = startSsh(it, { key, args: [...control, "-M", "-N"] });
    await vi.waitFor(() => expect(it.server.connections()).toHaveLength(1), { timeout: 10_000 });
    await vi.waitFor(async () => {
      const checked = await runSsh(it, { key, args: [...control, "-O", "check"] });
      expect(checked.status).toBe(0);
    });
    const runs = await Promise.all(
      Array.from({ length: 5 }, (_, index) => runSsh(it, { key, args: control, command: [`n${index}`] })),
    );
    expect(runs.map(({ status, stdout }) => [status, stdout])).toEqual(
      Array.from({ length: 5 }, (_, index) => [7, `support: n${index}\n`]),
    );
    expect(it.eventsOf("connection-opened")).toHaveLength(1);
    await runSsh(it, { key, args: [...control, "-O", "exit"] });
    await primary.ended;
    await vi.waitFor(() => expect(it.server.connections()).toEqual([]));
  });

  test("a client killed in the middle aborts the channel and rejects the pending write", async () => {
    const { promise, resolve } = Promise.withResolvers<{ error: unknown; aborted: boolean; later: unknown }>();
    const { promise: writing, resolve: isWriting } = Promise.withResolvers<void>();
    const it = await startTestServer(async (_connection, _request, channel) => {
      let error: unknown;
      try {
        for (;;) {
          await channel.write(Buffer.alloc(65_536));
          isWriting();
        }
      } catch (thrown) {
        error = thrown;
      }
      const later = await channel.write(Buffer.of(1)).catch((thrown: unknown) => thrown);
      resolve({ error, aborted: channel.closed.aborted, later });
      await channel.end(0); // never hangs
    });
    const { child } = startSsh(it, { command: ["x"] });
    await writing;
    child.kill("SIGKILL");
    expect(await promise).toMatchObject({
      aborted: true,
      error: { category: "OperationStopped" },
      later: { category: "OperationStopped" },
    });
    await vi.waitFor(() => expect(it.server.connections()).toEqual([]));
  });

  test("a session that throws ends with 70 and is reported; so is one that forgets its status", async () => {
    const it = await startTestServer((_connection, request) => {
      if (request.kind === "exec" && request.commandLine === "throw") return Promise.reject(new Error("a bug"));
      return Promise.resolve();
    });
    expect((await runSsh(it, { command: ["throw"] })).status).toBe(70);
    expect((await runSsh(it, { command: ["forget"] })).status).toBe(70);
    expect(it.problems).toEqual([expect.stringContaining("a bug"), "a session ended without an exit status"]);
  });
});

describe("window changes", () => {
  test("reach a shell, the newest only", async () => {
    const sizes: TerminalSize[] = [];
    const { promise: started, resolve: isStarted } = Promise.withResolvers<void>();
    const it = await startTestServer(async (_connection, request, channel) => {
      if (request.kind !== "shell") throw new Error("not a shell");
      sizes.push({ columns: request.terminal?.columns ?? 0, rows: request.terminal?.rows ?? 0 });
      request.onResize((size) => sizes.push(size));
      isStarted();
      await new Promise((resolve) => channel.closed.addEventListener("abort", resolve));
    });
    const client = await logIn(it.port, "support", it.key.privateKey);
    const shell = Promise.withResolvers<ClientChannel>();
    client.shell({ cols: 120, rows: 40, term: "vt100" }, (_error, channel) => {
      shell.resolve(channel);
    });
    const channel = await shell.promise;
    await started;
    for (let columns = 1; columns <= 500; columns += 1) channel.setWindow(50, columns, 0, 0);
    channel.setWindow(0, 5000, 0, 0);
    await vi.waitFor(() => expect(sizes.at(-1)).toEqual({ columns: 1000, rows: 24 }));
    expect(sizes[0]).toEqual({ columns: 120, rows: 40 });
    expect(sizes.length).toBeLessThan(20);
  });
});

test("ssh-keyscan and the server name the host key alike", { skip: !hasOpenSsh }, async () => {
  const it = await startTestServer();
  const run = promisify(execFile);
  const { stdout } = await run("ssh-keyscan", ["-p", String(it.port), "-t", "ed25519", "127.0.0.1"]);
  const blob = Buffer.from(/ssh-ed25519 (\S+)/.exec(stdout)?.[1] ?? "", "base64");
  expect(fingerprintOf(blob)).toBe(it.server.hostKeyFingerprint);
});
