import type { DatabaseSync } from "node:sqlite";
import { mostNamesakes } from "../../command/site-database.ts";
import type { NamedComputers } from "../../command/site-database.ts";
import { beginningOfLonger, foldComputerName, shortComputerName } from "../../model/computer-name.ts";
import { decodeText } from "./columns.ts";
import { prepareArrays } from "./connection.ts";

const from = "FROM RecoveryAndHardwareCore_Machines";

/** Exported for the test that no plan of theirs scans: the unique index of NameFolded answers each. */
export const namesakeQueries = {
  named: `SELECT Name ${from} WHERE NameFolded = ?`,
  between: `SELECT Name ${from} WHERE NameFolded > ? AND NameFolded < ? ORDER BY NameFolded LIMIT ${mostNamesakes}`,
} as const;

/** Finds the computers that a name may mean: the index has those with a domain right behind the short name and its dot. */
export const prepareNamesakes = (database: DatabaseSync): ((name: string) => NamedComputers) => {
  const named = prepareArrays(database, namesakeQueries.named);
  const between = prepareArrays(database, namesakeQueries.between);
  const names = (rows: ReturnType<typeof named>): readonly string[] =>
    rows.map(([name]) => decodeText(name, "Machines.Name"));
  return (name) => {
    const folded = foldComputerName(name);
    const short = shortComputerName(folded);
    const beginning = beginningOfLonger(folded);
    // "/" is the character behind the dot.
    const longer = beginning === undefined ? [] : names(between(beginning, `${folded}/`));
    return { same: names(named(folded)), other: short === undefined ? longer : [...names(named(short)), ...longer] };
  };
};
