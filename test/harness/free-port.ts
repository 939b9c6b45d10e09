import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

/** A port of loopback that somebody has until it is released. */
export const takePort = async (): Promise<{ readonly port: number; readonly release: () => Promise<void> }> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // of a TCP server that listens
  return { port, release: () => new Promise((resolve) => void server.close(() => resolve())) };
};

/** A port of loopback that nobody has for now. */
export const freePort = async (): Promise<number> => {
  const { port, release } = await takePort();
  await release();
  return port;
};
