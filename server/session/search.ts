import type { BoundLine } from "../authorization/contract.ts";
import { closestComputers } from "../authorization/closest-names.ts";
import { OnRecord } from "../audit/on-record.ts";
import type { CommandContext } from "../command/define-command.ts";
import type { KeySearch, ListedKey } from "../command/site-database.ts";
import { EndpointError } from "../errors.ts";
import { recordOf } from "../identity/party.ts";
import { canonicalComputerName, shortComputerName } from "../model/computer-name.ts";
import { readSearchPiece } from "../model/search-piece.ts";
import type { RunDependencies, Started } from "./run-command.ts";

/** Whose searches count and go on the record, what is reached, and how far. */
interface Searching extends Pick<RunDependencies, "log" | "origin" | "party" | "ports" | "searches"> {
  readonly started: Pick<Started, "admitted" | "invocationId" | "signal">;
  readonly rule: NonNullable<BoundLine["search"]> & Pick<BoundLine, "roleCapability">;
}

interface Asked {
  readonly piece: string;
  readonly search: KeySearch;
  /** How many keys are looked at. */
  readonly most: number;
}

/** Counts a search, puts it on the record, and only then asks, within the bounds of the role. */
const searchOnRecord = async (
  { log, origin, party, ports, searches, started, rule }: Searching,
  { piece, search, most }: Asked,
): Promise<{ readonly keys: readonly ListedKey[]; readonly more: boolean }> => {
  const { command, keyBounds } = started.admitted.bound;
  const takeBack = searches.reserve(party, rule);
  const opening = await OnRecord.put(log, {
    type: "search",
    ...origin,
    invocationId: started.invocationId,
    command: command.name,
    roleCapability: rule.roleCapability,
    piece,
    ...recordOf(party),
  }).catch((error: unknown) => {
    takeBack();
    throw error;
  });
  const keys: ListedKey[] = [];
  const terms = { keyBounds: keyBounds?.allows, signal: started.signal };
  for await (const batch of ports.forSearch(opening, search, terms)) {
    keys.push(...batch);
    if (keys.length > most) break;
  }
  return { keys: keys.slice(0, most), more: keys.length > most };
};

/** Lists what has a piece in it, as many rows as the rule allows. */
export const searchWith =
  (searching: Searching): NonNullable<CommandContext["search"]> =>
  (piece) => {
    const { rule } = searching;
    return searchOnRecord(searching, { piece, search: readSearchPiece(piece, rule), most: rule.rows });
  };

/** Of one half of a name: where more have it, the closest may be beyond, so none is named. So many cost a site little more than a search. */
const mostLookedAt = 500;

/**
 * A slip leaves one half of a name whole: the end is asked for first, as fewer computers share it. Rejected: to look at every name, which
 * a site of 100,000 computers would send for each slip.
 */
const halvesOf = (name: string): readonly string[] => {
  const middle = Math.floor(name.length / 2);
  return [name.slice(middle), name.slice(0, middle)];
};

/** Over the limit of an hour it is not asked, and the answer is that of a role without the rule. */
const isOverLimit = (error: unknown): boolean => error instanceof EndpointError && error.category === "LimitsExceeded";

/** Names computers close to one that is not there; each question is a search. */
export const closeComputersWith =
  (searching: Searching): NonNullable<CommandContext["closeComputers"]> =>
  async (typed) => {
    const short = shortComputerName(typed) ?? typed;
    for (const piece of halvesOf(short)) {
      const { name } = readSearchPiece(piece, searching.rule);
      if (name === undefined) continue;
      const asked = { piece, search: { name, keyId: undefined }, most: mostLookedAt };
      const found = await searchOnRecord(searching, asked).catch((error: unknown) => {
        if (isOverLimit(error)) return undefined;
        throw error;
      });
      if (found === undefined) return [];
      // What no import would store has letters that a person does not see.
      const names = new Set(
        found.keys.map((key) => key.computerName).filter((one) => canonicalComputerName(one) === one),
      );
      const close = found.more ? [] : closestComputers(short, [...names]);
      if (close.length > 0) return close;
    }
    return [];
  };
