import { identitiesOf, type Party } from "../identity/party.ts";
import type { AuthenticatedConnection } from "../identity/log-in.ts";
import type { LiveConnection } from "./connection.ts";
import { orLate } from "../or-late.ts";
import type { Limits } from "./limits.ts";

/** The clients that have said who they are, logged in or not. */
export class LiveConnections {
  readonly #live = new Map<string, LiveConnection>();

  /** Until it is over. */
  add(connectionId: string, connection: LiveConnection): void {
    this.#live.set(connectionId, connection);
    void connection.over.then(() => this.#live.delete(connectionId));
  }

  has(connectionId: string): boolean {
    return this.#live.has(connectionId);
  }

  identities(): readonly AuthenticatedConnection[] {
    return [...this.#live.values()].flatMap((connection) => connection.identity() ?? []);
  }

  /** On as many connections as any one identity of a person is logged in on: by another name it is the same person. */
  countOf(party: Party): number {
    const all = this.identities().map(identitiesOf);
    return Math.max(...identitiesOf(party).map((identity) => all.filter((one) => one.includes(identity)).length));
  }

  /** @returns whether there was such a connection */
  disconnect(connectionId: string, message: string): boolean {
    const connection = this.#live.get(connectionId);
    connection?.disconnect(message);
    return connection !== undefined;
  }

  /** Tells those that are here now that the server stops. @returns waits until their sessions are over; whether they were in time */
  dismiss({ closeMs, sessionEndMs }: Limits): () => Promise<boolean> {
    const leaving = [...this.#live.values()];
    const leave = async (connection: LiveConnection): Promise<void> => {
      await orLate(connection.answered(), closeMs);
      connection.disconnect("The endpoint is shutting down.");
    };
    for (const connection of leaving) void leave(connection);
    return async () => {
      const over = Promise.all(leaving.map((connection) => connection.over));
      return (await orLate(over, closeMs + sessionEndMs)) !== undefined;
    };
  }
}
