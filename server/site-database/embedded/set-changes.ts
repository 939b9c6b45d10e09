import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { decodeInteger } from "./columns.ts";
import { prepareArrays } from "./connection.ts";
import { inPortions } from "./portions.ts";
import { RowSum } from "./row-set.ts";
import type { SetState } from "./row-set.ts";

/*
 * What an import does to the set of all rows: triggers note each digest that a row gets or loses, whichever statement does it, in a temporary
 * table, and it is summed up at the end.
 */

const tables = [
  ["RecoveryAndHardwareCore_Keys", "key", 1],
  ["RecoveryAndHardwareCore_Machines_Volumes", "link", 0],
] as const;

const triggers = tables.flatMap(([table, kind, isKey]) => [
  // A row without a digest is in no sum.
  `CREATE TEMP TRIGGER Set_${kind}_insert AFTER INSERT ON main.${table} WHEN NEW.RowDigest <> x''
     BEGIN INSERT INTO SetChanges (IsKey, Lost, Got) VALUES (${isKey}, x'', NEW.RowDigest); END`,
  `CREATE TEMP TRIGGER Set_${kind}_update AFTER UPDATE OF RowDigest ON main.${table}
     BEGIN INSERT INTO SetChanges (IsKey, Lost, Got) VALUES (${isKey}, OLD.RowDigest, NEW.RowDigest); END`,
  `CREATE TEMP TRIGGER Set_${kind}_delete AFTER DELETE ON main.${table} WHEN OLD.RowDigest <> x''
     BEGIN INSERT INTO SetChanges (IsKey, Lost, Got) VALUES (${isKey}, OLD.RowDigest, x''); END`,
]);

/** From here on changes are noted, until the transaction ends or they are summed up. */
export const noteSetChanges = (database: DatabaseSync): void => {
  database.exec("CREATE TEMP TABLE SetChanges (IsKey INTEGER NOT NULL, Lost BLOB NOT NULL, Got BLOB NOT NULL) STRICT");
  for (const sql of triggers) database.exec(sql);
};

const dropSql = [
  ...tables.flatMap(([, kind]) =>
    ["insert", "update", "delete"].map((change) => `DROP TRIGGER temp.Set_${kind}_${change}`),
  ),
  "DROP TABLE temp.SetChanges",
];

/** The state after what was noted. @returns undefined where no row changed */
export const sumUpSetChanges = (
  database: DatabaseSync,
  elementKey: KeyObject,
  from: SetState,
  digest: string,
): SetState | undefined => {
  const changes = prepareArrays(database, "SELECT Lost, Got FROM temp.SetChanges WHERE rowid > ? AND rowid <= ?");
  const sum = new RowSum(elementKey, from.sum);
  let isChanged = false;
  const digestsIn = (values: readonly unknown[]): Uint8Array[] =>
    values.filter((value) => value instanceof Uint8Array).filter(({ length }) => length > 0);
  inPortions(database, "temp.SetChanges", "rowid", (after, upTo) => {
    const rows = changes(after, upTo);
    isChanged = true;
    sum.take(digestsIn(rows.map(([lost]) => lost)));
    sum.add(digestsIn(rows.map(([, got]) => got)));
  });
  const [counted] = prepareArrays(
    database,
    `SELECT coalesce(sum(IsKey * Change), 0), coalesce(sum((1 - IsKey) * Change), 0)
       FROM (SELECT IsKey, (Got <> x'') - (Lost <> x'') AS Change FROM temp.SetChanges)`,
  )();
  for (const sql of dropSql) database.exec(sql);
  if (!isChanged) return undefined;
  return {
    counter: from.counter + 1,
    keys: from.keys + decodeInteger(counted?.[0], "keys"),
    links: from.links + decodeInteger(counted?.[1], "links"),
    sum: sum.text,
    before: digest,
  };
};
