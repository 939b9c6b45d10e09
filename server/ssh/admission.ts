import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { addressGroup, ClientSocket } from "./client-socket.ts";
import type { Limits } from "./limits.ts";
import { offenceOf } from "./penalties.ts";
import type { Offence, Penalties } from "./penalties.ts";

/*
 * ssh2 shows a client to its application only after the identification line, and keeps silent ones for ever. So the
 * listener is ours: it limits, reads the line, and only then hands the socket over.
 */

export interface AdmissionEvents {
  accepted(client: ClientSocket): void;
  /** A whole identification line is there. `firstBytes` begins with it; the socket is paused. */
  identified(client: ClientSocket, software: string, firstBytes: Buffer): void;
  /** Dropped before its identification line was read. */
  dropped(client: ClientSocket, guard: string): void;
  /** From now on connections of this source are closed at the door. */
  penalised(source: string, offence: Offence, forMs: number): void;
}

interface AddressCount {
  /** Connections nobody has logged in on: those of users are counted by user, whom colleagues may share an address with. */
  unauthenticated: number;
  loggingIn: number;
  readonly waiting: Set<() => void>;
}

const identification = /^SSH-2\.0-([\x21-\x7e][\x20-\x7e]*)\r?$/;

/** sshd's own words (sshd.c), so that who looks them up finds out what they mean. */
const notNow = "Not allowed at this time\r\n";

/** @param ownLine what the server says first, with its line end */
export const createAdmission = (
  limits: Limits,
  ownLine: string,
  penalties: Penalties,
  events: AdmissionEvents,
): Server => {
  const counts = new Map<string, AddressCount>();
  let open = 0;
  let loggingIn = 0;

  const punish = (client: ClientSocket): void => {
    const { stage, failed } = client.logIn;
    if (stage.kind === "logged-in") return;
    const offence = stage.kind === "sent-away" ? "refuseconnection" : offenceOf(client.droppedBy, failed);
    const begun = offence === undefined ? undefined : penalties.penalise(client.address, offence);
    if (offence !== undefined && begun !== undefined) events.penalised(begun.source, offence, begun.forMs);
  };

  const turnAway = (client: ClientSocket): void => {
    client.socket.write(notNow);
    client.drop("penalty");
  };

  const mayBeDropped = (): boolean => {
    const { startupsBegin: begin, startupsRatePercent: rate, startupsFull: full } = limits;
    if (loggingIn >= full) return true;
    if (loggingIn < begin) return false;
    return randomInt(100) < rate + ((100 - rate) * (loggingIn - begin)) / (full - begin);
  };

  /**
   * Our KEXINIT goes out when the client's is there, so that it carries its acknowledgement. OpenSSH's client leaves Nagle's
   * algorithm on before log-in: with ours sent first there is nothing to carry it, the kernel delays it by 40 ms, and the
   * client's next packet waits for it. A client that wants to see ours first gets it a little later.
   */
  const awaitKeyExchange = (client: ClientSocket, software: string, line: Buffer): void => {
    const { socket } = client;
    const goOn = (chunk: Buffer): void => {
      clearTimeout(timer);
      socket.off("data", goOn).pause();
      if (!client.gone) events.identified(client, software, Buffer.concat([line, chunk]));
    };
    const timer = setTimeout(() => goOn(Buffer.alloc(0)), limits.keyExchangePatienceMs);
    socket.once("close", () => clearTimeout(timer));
    socket.on("data", goOn);
  };

  const collectIdentification = (client: ClientSocket): void => {
    const { socket } = client;
    socket.write(ownLine);
    const timer = setTimeout(() => client.drop("identification-time"), limits.identificationMs);
    socket.once("close", () => clearTimeout(timer));
    let collected = Buffer.alloc(0);
    // ssh2 loses bytes of a line that comes in more than two segments.
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
        events.identified(client, software, collected);
      } else awaitKeyExchange(client, software, collected);
    };
    socket.on("data", collect).resume();
  };

  const startLogin = (client: ClientSocket, count: AddressCount): void => {
    if (mayBeDropped()) {
      client.drop("startups");
      return;
    }
    loggingIn += 1;
    count.loggingIn += 1;
    const grace = setTimeout(() => client.drop("login-grace"), limits.loginGraceMs);
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      clearTimeout(grace);
      loggingIn -= 1;
      count.loggingIn -= 1;
      const [next] = count.waiting;
      next?.();
    };
    client.socket.once("close", leave);
    client.logIn.onLoggedIn(leave);
    // People need longer for a code than machines for a key; meanwhile they must not take a log-in's place from others.
    client.logIn.onCodeOwed(() => {
      leave();
      const forCode = setTimeout(() => client.drop("code-time"), limits.codeMs);
      client.socket.once("close", () => clearTimeout(forCode));
      client.logIn.onLoggedIn(() => clearTimeout(forCode));
    });
    collectIdentification(client);
  };

  const wait = (client: ClientSocket, count: AddressCount): void => {
    client.socket.pause();
    const timer = setTimeout(() => client.drop("waiting-time"), limits.loginGraceMs);
    const go = (): void => {
      clearTimeout(timer);
      count.waiting.delete(go);
      if (client.gone) return;
      if (penalties.mayConnect(client.address)) startLogin(client, count);
      else turnAway(client);
    };
    count.waiting.add(go);
    client.socket.once("close", () => {
      clearTimeout(timer);
      count.waiting.delete(go);
    });
  };

  return createServer({ noDelay: true, keepAlive: true }, (socket: Socket) => {
    const client = new ClientSocket(socket, limits);
    client.onDrop((guard) => events.dropped(client, guard));
    if (client.address === "") {
      socket.destroy(); // reset before it was accepted
      return;
    }
    const group = addressGroup(client.address);
    if (!penalties.mayConnect(client.address)) {
      turnAway(client);
      return;
    }
    const count = counts.get(group) ?? { unauthenticated: 0, loggingIn: 0, waiting: new Set() };
    if (open >= limits.connections || count.unauthenticated >= limits.connectionsPerAddress) {
      client.drop(open >= limits.connections ? "connections" : "connections-per-address");
      return;
    }
    counts.set(group, count);
    events.accepted(client);
    open += 1;
    count.unauthenticated += 1;
    let counted = true;
    const discount = (): void => {
      if (!counted) return;
      counted = false;
      count.unauthenticated -= 1;
      if (count.unauthenticated === 0 && counts.get(group) === count) counts.delete(group);
    };
    client.logIn.onLoggedIn(discount);
    socket.once("close", () => {
      open -= 1;
      discount();
      punish(client);
    });
    if (count.loggingIn >= limits.loginsPerAddress) wait(client, count);
    else startLogin(client, count);
  });
};
