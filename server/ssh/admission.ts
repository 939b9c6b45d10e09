import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { addressGroup, ClientSocket } from "./client-socket.ts";
import { exchangeIdentification, type Identified } from "./identification.ts";
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
  identified(client: ClientSocket, identified: Identified): void;
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

/** sshd's own words (sshd.c), so that who looks them up finds out what they mean. */
const notNow = "Not allowed at this time\r\n";

/** Counts connections and log-ins, in all and by address, and decides which may begin now, later or not at all. */
class Admission {
  readonly #limits: Limits;
  readonly #ownLine: string;
  readonly #penalties: Penalties;
  readonly #events: AdmissionEvents;
  readonly #counts = new Map<string, AddressCount>();
  #open = 0;
  #loggingIn = 0;

  constructor(limits: Limits, ownLine: string, penalties: Penalties, events: AdmissionEvents) {
    this.#limits = limits;
    this.#ownLine = ownLine;
    this.#penalties = penalties;
    this.#events = events;
  }

  admit(client: ClientSocket): void {
    const group = addressGroup(client.address);
    if (!this.#penalties.mayConnect(client.address)) {
      this.#turnAway(client);
      return;
    }
    const { connections, connectionsPerAddress, loginsPerAddress } = this.#limits;
    const count = this.#counts.get(group) ?? { unauthenticated: 0, loggingIn: 0, waiting: new Set() };
    if (this.#open >= connections || count.unauthenticated >= connectionsPerAddress) {
      client.drop(this.#open >= connections ? "connections" : "connections-per-address");
      return;
    }
    this.#counts.set(group, count);
    this.#events.accepted(client);
    this.#whileOpen(client, group, count);
    if (count.loggingIn >= loginsPerAddress) this.#wait(client, count);
    else this.#startLogin(client, count);
  }

  #turnAway(client: ClientSocket): void {
    client.socket.write(notNow);
    client.drop("penalty");
  }

  #whileOpen(client: ClientSocket, group: string, count: AddressCount): void {
    this.#open += 1;
    count.unauthenticated += 1;
    let counted = true;
    const discount = (): void => {
      if (!counted) return;
      counted = false;
      count.unauthenticated -= 1;
      if (count.unauthenticated === 0 && this.#counts.get(group) === count) this.#counts.delete(group);
    };
    client.logIn.onLoggedIn(discount);
    client.socket.once("close", () => {
      this.#open -= 1;
      discount();
      this.#punish(client);
    });
  }

  #punish(client: ClientSocket): void {
    const { stage, failed } = client.logIn;
    if (stage.kind === "logged-in") return;
    const offence = stage.kind === "sent-away" ? "refuseconnection" : offenceOf(client.droppedBy, failed);
    const begun = offence === undefined ? undefined : this.#penalties.penalise(client.address, offence);
    if (offence !== undefined && begun !== undefined) this.#events.penalised(begun.source, offence, begun.forMs);
  }

  #wait(client: ClientSocket, count: AddressCount): void {
    client.socket.pause();
    const timer = setTimeout(() => client.drop("waiting-time"), this.#limits.loginGraceMs);
    const go = (): void => {
      clearTimeout(timer);
      count.waiting.delete(go);
      if (client.gone) return;
      if (this.#penalties.mayConnect(client.address)) this.#startLogin(client, count);
      else this.#turnAway(client);
    };
    count.waiting.add(go);
    client.socket.once("close", () => {
      clearTimeout(timer);
      count.waiting.delete(go);
    });
  }

  #startLogin(client: ClientSocket, count: AddressCount): void {
    if (this.#mayBeDropped()) {
      client.drop("startups");
      return;
    }
    this.#whileLoggingIn(client, count);
    exchangeIdentification(client, this.#ownLine, this.#limits, (identified) =>
      this.#events.identified(client, identified),
    );
  }

  #mayBeDropped(): boolean {
    const { startupsBegin: begin, startupsRatePercent: rate, startupsFull: full } = this.#limits;
    if (this.#loggingIn >= full) return true;
    if (this.#loggingIn < begin) return false;
    return randomInt(100) < rate + ((100 - rate) * (this.#loggingIn - begin)) / (full - begin);
  }

  #whileLoggingIn(client: ClientSocket, count: AddressCount): void {
    this.#loggingIn += 1;
    count.loggingIn += 1;
    const grace = setTimeout(() => client.drop("login-grace"), this.#limits.loginGraceMs);
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      clearTimeout(grace);
      this.#loggingIn -= 1;
      count.loggingIn -= 1;
      const [next] = count.waiting;
      next?.();
    };
    client.socket.once("close", leave);
    client.logIn.onLoggedIn(leave);
    // People need longer for a code than machines for a key; meanwhile they must not take a log-in's place from others.
    client.logIn.onCodeOwed(() => {
      leave();
      const forCode = setTimeout(() => client.drop("code-time"), this.#limits.codeMs);
      client.socket.once("close", () => clearTimeout(forCode));
      client.logIn.onLoggedIn(() => clearTimeout(forCode));
    });
  }
}

/** @param ownLine what the server says first, with its line end */
export const createAdmission = (
  limits: Limits,
  ownLine: string,
  penalties: Penalties,
  events: AdmissionEvents,
): Server => {
  const admission = new Admission(limits, ownLine, penalties, events);
  return createServer({ noDelay: true, keepAlive: true }, (socket: Socket) => {
    const client = new ClientSocket(socket, limits);
    client.onDrop((guard) => events.dropped(client, guard));
    if (client.address === "") socket.destroy(); // reset before it was accepted
    else admission.admit(client);
  });
};
