import type { BoundLine } from "../authorization/contract.ts";
import { OnRecord } from "../audit/on-record.ts";
import type { CommandContext } from "../command/define-command.ts";
import type { ListedKey } from "../command/site-database.ts";
import { recordOf } from "../identity/party.ts";
import { readSearchPiece } from "../model/search-piece.ts";
import type { RunDependencies, Started } from "./run-command.ts";

/** Counts a search, puts it on the record, and only then asks: what is listed is within the bounds and the rows of the rule. */
export const searchWith =
  (
    { log, origin, party, ports, searches }: Pick<RunDependencies, "log" | "origin" | "party" | "ports" | "searches">,
    { admitted, invocationId, signal }: Pick<Started, "admitted" | "invocationId" | "signal">,
    rule: NonNullable<BoundLine["search"]>,
  ): NonNullable<CommandContext["search"]> =>
  async (piece) => {
    const { command, keyBounds } = admitted.bound;
    const takeBack = searches.reserve(party, rule);
    const opening = await OnRecord.put(log, {
      type: "search",
      ...origin,
      invocationId,
      command: command.name,
      roleCapability: rule.roleCapability,
      piece,
      ...recordOf(party),
    }).catch((error: unknown) => {
      takeBack();
      throw error;
    });
    const keys: ListedKey[] = [];
    const terms = { keyBounds: keyBounds?.allows, signal };
    for await (const batch of ports.forSearch(opening, readSearchPiece(piece, rule), terms)) {
      keys.push(...batch);
      if (keys.length > rule.rows) break;
    }
    return { keys: keys.slice(0, rule.rows), more: keys.length > rule.rows };
  };
