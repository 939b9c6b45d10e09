import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import ssh2 from "ssh2";
import type { ClientChannel } from "ssh2";
import { onTestFinished, vi } from "vitest";
import { connectAttacker } from "./ssh-attacker-connection.ts";
import type { AttackerConfig, AttackerConnection, Heard } from "./ssh-attacker-connection.ts";

export { message } from "./ssh-attacker-connection.ts";

export interface Attacker extends AttackerConnection {
  until(name: string): Promise<Heard>;
}

/** As `connectAttacker`; ended when the test is over. */
export const attack = async (
  port: number,
  login?: { readonly user: string; readonly privateKey: string },
  config: AttackerConfig = {},
): Promise<Attacker> => {
  const connection = await connectAttacker(port, login, {
    ...config,
    onClient: (client) =>
      onTestFinished(() => {
        client.destroy();
      }),
  });
  return {
    ...connection,
    until: (name) =>
      vi.waitFor(
        () => {
          const found = connection.heardOf(name).at(-1);
          if (found === undefined) throw new Error(`${name} was not heard`);
          return found;
        },
        { timeout: 10_000 },
      ),
  };
};

/** A logged-in ssh2 client used as it is meant to be. */
export const logIn = async (port: number, user: string, privateKey: string): Promise<ssh2.Client> => {
  const client = new ssh2.Client();
  client.on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
  });
  client.connect({ host: "127.0.0.1", port, username: user, privateKey });
  await once(client, "ready");
  return client;
};

/** Runs a command and gathers what it said. */
export const exec = async (
  client: ssh2.Client,
  line: string,
): Promise<{ readonly status: number | undefined; readonly stdout: string; readonly stderr: string }> => {
  let stdout = "";
  let stderr = "";
  let status: number | undefined;
  // Listeners go in at once: the answer may come in the same segment as the channel's confirmation.
  const listen = (channel: ClientChannel): void => {
    channel.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
    channel.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
    channel.on("exit", (code: number) => (status = code));
  };
  await new Promise<void>((resolve, reject) => {
    client.exec(line, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      listen(channel);
      channel.on("close", () => resolve());
    });
  });
  return { status, stdout, stderr };
};

/** The server still serves: a fresh log-in runs a command. */
export const stillServes = async (port: number, privateKey: string): Promise<boolean> => {
  const client = await logIn(port, "support", privateKey);
  const { status } = await exec(client, "still there?");
  client.end();
  return status === 0;
};

/** A bare TCP connection, read and forgotten. */
export const bareSocket = async (
  port: number,
): Promise<{ readonly socket: Socket; readonly closed: Promise<void> }> => {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.on("close", () => resolve());
  await once(socket, "connect");
  socket.resume();
  return { socket, closed };
};
