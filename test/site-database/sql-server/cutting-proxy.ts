import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

/** A wire between driver and server that a test can cut: the server's machine is gone, mid-packet if need be. */
export interface CuttingProxy {
  readonly port: number;
  /** Resets every connection now. */
  cut(): void;
  /** Resets the next connection that has let so many bytes of the server's through, once. */
  cutAfter(bytes: number): void;
  /** Was it cut since `cutAfter`? */
  wasCut(): boolean;
  close(): Promise<void>;
}

export const startCuttingProxy = async (serverPort: number): Promise<CuttingProxy> => {
  const pairs = new Set<readonly [Socket, Socket]>();
  let bytesLeft = Infinity;
  let wasCut = false;
  const end = (pair: readonly [Socket, Socket]): void => {
    pairs.delete(pair);
    for (const socket of pair) socket.resetAndDestroy();
  };
  const server = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => end(pair));
      socket.on("close", () => end(pair));
    }
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      if (chunk.length >= bytesLeft) {
        wasCut = true;
        client.write(chunk.subarray(0, bytesLeft), () => end(pair));
        bytesLeft = Infinity;
        upstream.pause();
        return;
      }
      bytesLeft -= chunk.length;
      if (!client.write(chunk)) {
        upstream.pause();
        client.once("drain", () => upstream.resume());
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return {
    port: address.port,
    cut: () => {
      pairs.forEach(end);
    },
    cutAfter: (bytes) => {
      bytesLeft = bytes;
      wasCut = false;
    },
    wasCut: () => wasCut,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      pairs.forEach(end);
      await closed;
    },
  };
};
