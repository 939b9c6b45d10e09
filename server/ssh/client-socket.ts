import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { isIPv6 } from "node:net";
import type { Limits } from "./limits.ts";
import { LogInProgress } from "./log-in-progress.ts";

/** An address as the log shows it: IPv4 inside IPv6 (`::ffff:…`) is IPv4. */
const plainAddress = (address: string): string =>
  address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;

/** What limits count by: an IPv4 address, or an IPv6 /64, which is one household's or one attacker's anyway. */
export const addressGroup = (address: string): string => {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  const all = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return `${all
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(":")}::/64`;
};

/** One accepted TCP connection: the only way the rest of this folder drops it. */
export class ClientSocket {
  readonly socket: Socket;
  readonly connectionId = randomUUID();
  readonly address: string;
  readonly logIn = new LogInProgress();
  readonly #limits: Limits;
  #droppedBy: string | undefined;
  #onDrop: ((guard: string) => void) | undefined;

  constructor(socket: Socket, limits: Limits) {
    this.socket = socket;
    this.#limits = limits;
    this.address = plainAddress(socket.remoteAddress ?? "");
    // Without a listener a reset by the peer is an uncaught exception.
    socket.on("error", () => socket.destroy());
    // A half-closed socket whose peer reads nothing would stay for ever.
    const makeSure = (): void => this.destroyAfter(limits.closeMs);
    socket.once("finish", makeSure).once("end", makeSure);
  }

  get droppedBy(): string | undefined {
    return this.#droppedBy;
  }

  /** Nothing more may be read from or told to this client. */
  get gone(): boolean {
    return this.#droppedBy !== undefined || this.socket.destroyed;
  }

  get bytesMoved(): number {
    return this.socket.bytesRead + this.socket.bytesWritten;
  }

  onDrop(listener: (guard: string) => void): void {
    this.#onDrop = listener;
  }

  /** Ends the connection at once because a guard says so. */
  drop(guard: string): void {
    if (this.gone) return;
    this.#droppedBy = guard;
    this.socket.destroy();
    this.#onDrop?.(guard);
  }

  /** Ends the connection because a guard says so, and leaves ssh2's last words (DISCONNECT) a moment to go out. */
  dropSoon(guard: string): void {
    if (this.gone) return;
    this.#droppedBy = guard;
    // ssh2 goes on parsing what still arrives after an error.
    this.socket.removeAllListeners("data");
    this.socket.pause();
    this.destroyAfter(this.#limits.errorMs);
    this.#onDrop?.(guard);
  }

  destroyAfter(ms: number): void {
    const timer = setTimeout(() => this.socket.destroy(), ms);
    this.socket.once("close", () => clearTimeout(timer));
  }
}
