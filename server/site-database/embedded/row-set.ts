import { createCipheriv, createHmac } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { KeysStored } from "../../command/site-database.ts";
import type { SiteState } from "../../audit/site-events.ts";
import { openCell, sealCell } from "./cells.ts";
import { prepareArrays } from "./connection.ts";
import { UnreadableCell } from "./failures.ts";
import { deriveKeyObject } from "./master-key.ts";
import type { KeySource } from "./master-key.ts";

/*
 * What all rows together are. A digest of its own says that a row is one that was written, not that it is still the time for it, nor that
 * others are there: so the sum of all rows is kept beside them, sealed, with the number of the write, and that is held against the record.
 *
 * Each row has an element, AES-256 of its digest (one block) under a key of its own; the state has the sum of the elements, lane by lane modulo
 * 2^32. Adding and taking away a row is one addition. Nobody without the master key sees an element or a sum, so that other rows with the same
 * sum can only be guessed, at 2^-128 a try; the attack on sums of known elements (Wagner 2002) needs to see them. The digests themselves
 * are not summed up: they can be read in the file.
 */

const elementBytes = 16;
const lanes = elementBytes / 4;

/** A row's element needs this key and its digest. It opens and seals nothing. */
const elementsOf = (elementKey: KeyObject, digests: Uint8Array): Buffer => {
  // Each block for itself is what is wanted here: one block, one row.
  const cipher = createCipheriv("aes-256-ecb", elementKey, null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(digests), cipher.final()]);
};

/** The sum of rows' elements; changed by digests that rows get and lose. */
export class RowSum {
  readonly #elementKey: KeyObject;
  readonly #lanes = new Uint32Array(lanes);

  constructor(elementKey: KeyObject, from?: string) {
    this.#elementKey = elementKey;
    if (from !== undefined) this.#apply(Buffer.from(from, "hex"), 1);
  }

  /** @param digests of rows, 16 bytes each */
  add(digests: readonly Uint8Array[]): void {
    this.#apply(elementsOf(this.#elementKey, Buffer.concat(digests)), 1);
  }

  take(digests: readonly Uint8Array[]): void {
    this.#apply(elementsOf(this.#elementKey, Buffer.concat(digests)), -1);
  }

  #apply(elements: Buffer, sign: 1 | -1): void {
    for (let offset = 0; offset < elements.length; offset += 4) {
      const lane = (offset / 4) % lanes;
      this.#lanes[lane] = (this.#lanes[lane] ?? 0) + sign * elements.readUInt32LE(offset); // Uint32Array keeps it modulo 2^32
    }
  }

  /** Hexadecimal. */
  get text(): string {
    const bytes = Buffer.alloc(elementBytes);
    this.#lanes.forEach((value, lane) => bytes.writeUInt32LE(value, lane * 4));
    return bytes.toString("hex");
  }
}

const setState = z.strictObject({
  counter: z.int().positive(),
  keys: z.int().nonnegative(),
  links: z.int().nonnegative(),
  sum: z.string().regex(/^[0-9a-f]{32}$/),
  /** The state's digest that this one was made of: empty for the first. Two that were made of the same one are told apart, and none is passed over. */
  before: z.string(),
  /** Of a state that raising an older version left: a digest of the data keys that it took for ours. */
  dataKeys: z.string().optional(),
});

export type SetState = Readonly<z.infer<typeof setState>>;

/** What the sum is taken from and the state sealed with; from the master key. */
export interface RowSet {
  readonly elementKey: KeyObject;
  readonly seal: (state: SetState) => Uint8Array;
  /** Undefined unless it was sealed with the master key. */
  readonly open: (sealed: unknown) => SetState | undefined;
  /** The state as the record knows it. */
  readonly shown: (state: SetState) => SiteState;
}

const address = { table: "row_set", column: "state", rowId: 1, subject: "pep row set 1" } as const;

/** The caller keeps it as long as the database is open. */
export const createRowSet = (masterKey: KeySource): RowSet => {
  const sealKey = deriveKeyObject(masterKey, "pep row set seal 1");
  const digestKey = deriveKeyObject(masterKey, "pep row set digest 1");
  return {
    elementKey: deriveKeyObject(masterKey, "pep row set element 1"),
    seal: (state) => sealCell(sealKey, address, Buffer.from(JSON.stringify(state), "utf8")),
    open: (sealed) => {
      if (!(sealed instanceof Uint8Array)) return undefined;
      try {
        return setState.parse(JSON.parse(openCell(sealKey, address, sealed).toString("utf8")));
      } catch (error) {
        if (error instanceof UnreadableCell) return undefined;
        throw error;
      }
    },
    shown: ({ counter, keys, links, sum, before, dataKeys }) => ({
      counter,
      digest: createHmac("sha256", digestKey)
        .update(
          JSON.stringify([
            "pep row set 1",
            counter,
            keys,
            links,
            sum,
            before,
            ...(dataKeys === undefined ? [] : [dataKeys]),
          ]),
        )
        .digest("hex"),
      keys,
      links,
    }),
  };
};

/** The state of a database that has no rows. */
export const emptySet = (set: RowSet): SetState => ({
  counter: 1,
  keys: 0,
  links: 0,
  sum: new RowSum(set.elementKey).text,
  before: "",
});

/** A data directory has one embedded database, so it needs no other name. */
export const keysStored = ({ keys }: Pick<SetState, "keys">): KeysStored => ({ database: "embedded", keys });

/** Reads what seals the state; whatever it is. */
export const prepareSealed = (database: DatabaseSync): (() => unknown) => {
  const sealed = prepareArrays(database, "SELECT state FROM row_set WHERE id = 1");
  return () => sealed()[0]?.[0];
};

/** Inside the transaction that changes the rows. */
export const writeSealed = (database: DatabaseSync, sealed: Uint8Array): void => {
  database
    .prepare("INSERT INTO row_set (id, state) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state")
    .run(sealed);
};
