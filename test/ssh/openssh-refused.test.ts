import { describe, expect, test, vi } from "vitest";
import { uint32, wireString } from "../../server/identity/wire.ts";
import { attack, message } from "../harness/ssh-attacker.ts";
import { hasOpenSsh, runSsh } from "../harness/ssh-attacker-openssh.ts";
import { echoHost, startTestServer } from "../harness/ssh-attacker-server.ts";

describe.runIf(hasOpenSsh)("what is refused, with OpenSSH's client", () => {
  const requests = async (args: readonly string[], command: readonly string[] = ["x"]) => {
    const it = await startTestServer(echoHost);
    const ran = await runSsh(it, { args, command });
    await vi.waitFor(() => expect(it.eventsOf("connection-closed")).toHaveLength(1), { timeout: 10_000 });
    return { ran, refused: it.eventsOf("request-refused") };
  };

  test("a subsystem, with a sentence the user reads", async () => {
    const { ran, refused } = await requests(["-s"], ["sftp"]);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain("The subsystem sftp is not available; this endpoint runs its own commands only.");
    expect(refused).toMatchObject([{ request: "subsystem sftp", connectedUser: "support" }]);
  });

  test("sftp, by its own program", async () => {
    const it = await startTestServer(echoHost);
    const ran = await runSsh(it, { program: "sftp" });
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain("The subsystem sftp is not available");
  });

  test("environment variables, once each, by name and never by value", async () => {
    const { ran, refused } = await requests(["-o", "SendEnv=LANG", "-o", "SetEnv=TOKEN=hunter2"]);
    expect(ran.status).toBe(7);
    expect(refused.map(({ request, detail }) => `${request}: ${detail}`).sort()).toEqual([
      "env: The environment variable LANG is not accepted.",
      "env: The environment variable TOKEN is not accepted.",
    ]);
    expect(JSON.stringify(refused)).not.toContain("hunter2");
  });

  test("listening ports on the server", async () => {
    const { ran, refused } = await requests(["-R", "0:127.0.0.1:9", "-o", "ExitOnForwardFailure=yes"]);
    expect(ran.status).toBe(255);
    expect(refused).toMatchObject([{ request: "tcpip-forward" }]);
  });

  test("connections from the server", async () => {
    const { ran, refused } = await requests(["-W", "127.0.0.1:22", "-o", "LogLevel=INFO"], []);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain("forwarding is not available");
    expect(refused).toMatchObject([{ request: "direct-tcpip" }]);
  });

  test("listening sockets on the server", async () => {
    const { refused } = await requests(["-R", "/tmp/never:127.0.0.1:9"]);
    expect(refused).toMatchObject([{ request: "streamlocal-forward@openssh.com" }]);
  });

  test("the agent, X11, signals and a second command, once each; the session goes on", async () => {
    const { promise: finish, resolve } = Promise.withResolvers<void>();
    const it = await startTestServer(async (_connection, _request, channel) => {
      await finish;
      await channel.end(0);
    });
    const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
    attacker.send(
      message.channelOpen("session", 0, 1 << 20, 32768),
      message.request(0, "auth-agent-req@openssh.com", true),
      message.request(0, "x11-req", true, Buffer.of(0), wireString("MIT"), wireString("00"), uint32(0)),
      message.request(0, "exec", true, wireString("first")),
      message.request(0, "exec", true, wireString("second")),
      message.request(0, "shell", true),
      message.request(0, "signal", false, wireString("TERM")),
      message.request(0, "signal", true, wireString("TERM")),
    );
    await vi.waitFor(() => expect(attacker.heardOf("CHANNEL_FAILURE")).toHaveLength(5));
    expect(attacker.heardOf("CHANNEL_SUCCESS")).toHaveLength(1);
    resolve();
    await attacker.until("CHANNEL_CLOSE");
    expect(it.eventsOf("request-refused").map((event) => event.request)).toEqual([
      "auth-agent-req@openssh.com",
      "x11-req",
      "exec",
      "shell",
      "signal",
    ]);
  });

  test("a command line longer than 16 KiB, with a sentence the user reads", async () => {
    const { ran, refused } = await requests([], ["x".repeat(17_000)]);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain("A command line has at most 16384 bytes.");
    expect(refused).toMatchObject([
      { request: "exec", reason: "line too long", detail: "A command line has at most 16384 bytes." },
    ]);
  });

  test("password and keyboard-interactive log-in", async () => {
    const it = await startTestServer(echoHost);
    const methods = ["-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "PubkeyAuthentication=no"];
    const ran = await runSsh(it, { args: methods, command: ["x"] });
    expect(ran.stderr).toContain("Permission denied (publickey)");
  });

  test("other algorithms than the list", async () => {
    const it = await startTestServer(echoHost);
    for (const wanted of ["KexAlgorithms=ecdh-sha2-nistp256", "Ciphers=aes128-cbc", "HostKeyAlgorithms=rsa-sha2-256"]) {
      const ran = await runSsh(it, { args: ["-o", wanted, "-o", "LogLevel=INFO"], command: ["x"] });
      expect(ran.stderr).toContain("no matching");
    }
  });
});
