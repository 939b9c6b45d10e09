import type { Roles } from "../../server/authorization/contract.ts";
import { CommandTurns } from "../../server/session/command-turns.ts";
import { DisclosureCounts } from "../../server/session/disclosure-counts.ts";
import { SearchCounts } from "../../server/session/search-counts.ts";
import type { InvokeDependencies } from "../../server/session/invoke.ts";

/** What `invoke` counts, from nothing on. */
export const limitsOf = (
  roles?: Pick<Roles, "session">,
  now: () => Date = () => new Date(),
): Pick<InvokeDependencies, "disclosures" | "searches" | "turns"> => ({
  disclosures: new DisclosureCounts(now, []),
  searches: new SearchCounts(now, []),
  turns: new CommandTurns(() => roles?.session.commandsPerUser ?? 4),
});
