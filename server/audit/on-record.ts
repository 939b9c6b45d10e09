import type { AuditEvent, EventLog } from "./event.ts";

type EventOf<Type extends AuditEvent["type"]> = Extract<AuditEvent, { readonly type: Type }>;

/**
 * Proof that an event is durable: what needs it can't be had before. Nothing but `put` makes one, and `put` awaits the log.
 */
export class OnRecord<Type extends AuditEvent["type"]> {
  /** Private by the language: no literal and no other class has this type. */
  readonly #type: Type;

  private constructor(type: Type) {
    this.#type = type;
  }

  get type(): Type {
    return this.#type;
  }

  /** @throws EndpointError AuditUnavailable; then there is no proof */
  static async put<Type extends AuditEvent["type"]>(
    log: EventLog,
    event: EventOf<Type> & { readonly type: Type },
  ): Promise<OnRecord<Type>> {
    await log.append(event);
    return new OnRecord<Type>(event.type);
  }
}
