import type { Session } from "./session.ts";
import type { OpenChannel } from "./session-channel.ts";

export interface Slot {
  readonly channel: OpenChannel;
  readonly session: Session;
}

/** The channels of one connection by our numbers, and the sessions that outlive theirs. */
export class ChannelTable {
  readonly #slots = new Map<number, Slot>();
  readonly #ending = new Set<Promise<void>>();
  #nextId = 0;
  #freed = Promise.withResolvers<void>();

  /** A session whose channel is closed still holds its place until it has ended, or clients could pile them up. */
  get size(): number {
    return this.#slots.size + this.#ending.size;
  }

  /** @param id whatever the client sent */
  find(id: unknown): Slot | undefined {
    return typeof id === "number" ? this.#slots.get(id) : undefined;
  }

  /** @returns a number that no channel of this connection had */
  newId(): number {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  add(slot: Slot): void {
    this.#slots.set(slot.channel.ids.own, slot);
  }

  close({ channel, session }: Slot, connectionLost: boolean): void {
    session.stop();
    channel.receiveClose(connectionLost);
    this.#slots.delete(channel.ids.own);
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
    const over = session.over();
    if (over === undefined) return;
    this.#ending.add(over);
    void over.finally(() => this.#ending.delete(over));
  }

  async answered(): Promise<void> {
    while ([...this.#slots.values()].some(({ channel }) => channel.sentClose)) await this.#freed.promise;
  }

  async lose(): Promise<void> {
    for (const slot of this.#slots.values()) this.close(slot, true);
    await Promise.all(this.#ending);
  }
}
