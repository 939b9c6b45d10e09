import * as z from "zod";
import type { LooseEvent } from "./permissions.ts";

/** What an event says of the site database when its keys were collected. */
export const collection = z.object({
  database: z.string(),
  stored: z.number().int(),
  keys: z.number().int(),
  began: z.iso.datetime(),
});

/** Every key of the site, exported whole, as the record knows it. */
export type Collection = Readonly<z.infer<typeof collection>>;

/** What a line says of collections: one, that none before it counts any more (`null`), or nothing. */
export const collectionIn = (event: LooseEvent): Collection | null | undefined => {
  // Older rows were accepted: what is stored from now on may be counted as often as what was collected.
  if (event.type === "site-restore-accepted") return null;
  return event.type === "site-collected" ? collection.safeParse(event).data : undefined;
};

/** What the record says of collections, line by line. */
export class Collections {
  readonly #said: { readonly seq: number; readonly collection: Collection | null }[] = [];

  take(event: LooseEvent, seq: number): void {
    const said = collectionIn(event);
    if (said !== undefined) this.#said.push({ seq, collection: said });
  }

  /** The last one of those that count. One that is put into the log again makes more keys wait, never fewer. */
  newest(counts: (seq: number) => boolean): Collection | undefined {
    return this.#said.findLast(({ seq }) => counts(seq))?.collection ?? undefined;
  }
}
