import type { ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";

const identification = /^SSH-2\.0-([\x21-\x7e][\x20-\x7e]*)\r?$/;

export interface Identified {
  /** The client's software. */
  readonly software: string;
  /** What was read so far; the identification line is the first of it. */
  readonly firstBytes: Buffer;
}

/**
 * Our KEXINIT goes out when the client's is there, so that it carries its acknowledgement. OpenSSH's client leaves Nagle's
 * algorithm on before log-in: with ours sent first there is nothing to carry it, the kernel delays it by 40 ms, and the
 * client's next packet waits for it. A client that wants to see ours first gets it a little later.
 */
const awaitKeyExchange = (client: ClientSocket, patienceMs: number, goOn: (chunk: Buffer) => void): void => {
  const { socket } = client;
  const take = (chunk: Buffer): void => {
    clearTimeout(timer);
    socket.off("data", take).pause();
    if (!client.gone) goOn(chunk);
  };
  const timer = setTimeout(() => take(Buffer.alloc(0)), patienceMs);
  socket.once("close", () => clearTimeout(timer));
  socket.on("data", take);
};

/**
 * Says our identification line, and reads the client's (RFC 4253 §4.2), or drops it. ssh2 loses bytes of a line that comes in more
 * than two segments.
 *
 * @param ownLine with its line end
 * @param identified the socket is paused by then
 */
export const exchangeIdentification = (
  client: ClientSocket,
  ownLine: string,
  limits: Limits,
  identified: (what: Identified) => void,
): void => {
  const { socket } = client;
  socket.write(ownLine);
  const timer = setTimeout(() => client.drop("identification-time"), limits.identificationMs);
  socket.once("close", () => clearTimeout(timer));
  let collected = Buffer.alloc(0);
  const collect = (chunk: Buffer): void => {
    collected = Buffer.concat([collected, chunk]);
    const end = collected.indexOf(0x0a);
    if (end > limits.identificationBytes || (end < 0 && collected.length > limits.identificationBytes)) {
      client.drop("identification-length");
      return;
    }
    if (end < 0) return;
    const software = identification.exec(collected.toString("latin1", 0, end))?.[1];
    if (software === undefined) {
      client.drop("identification");
      return;
    }
    clearTimeout(timer);
    socket.off("data", collect);
    if (collected.length > end + 1) {
      socket.pause();
      identified({ software, firstBytes: collected });
      return;
    }
    awaitKeyExchange(client, limits.keyExchangePatienceMs, (chunk) =>
      identified({ software, firstBytes: Buffer.concat([collected, chunk]) }),
    );
  };
  socket.on("data", collect).resume();
};
