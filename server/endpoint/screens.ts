import { isolationInWords, judgeIsolation } from "../session/interactive/isolation.ts";
import { createUiPool, type UiPool } from "../session/interactive/ui-pool.ts";
import type { Inputs } from "./inputs.ts";
import type { EndpointRecord } from "./record.ts";
import type { Start } from "./start.ts";

export interface Screens {
  readonly uiPool: UiPool;
  /** All of them have the server's own account. */
  readonly sharesAccount: boolean;
}

/** The processes of people's screens, in accounts of their own where the machine has that. */
export const openScreens = async (
  { configuration, runtime, opened }: Start,
  { machine, uiBundle }: Inputs,
  strikes: EndpointRecord["strikes"],
): Promise<Screens> => {
  const { report } = runtime;
  const isolation = judgeIsolation(await machine, configuration.userInterface);
  for (const words of isolationInWords(isolation)) report(words);
  const uiPool = createUiPool({
    bundle: uiBundle,
    isolation,
    report,
    onUsedUp: (connectedUser) => strikes.note("userInterface.accounts", connectedUser),
    spare: configuration.spareUiProcesses,
    onLost: ({ cause, detail, connectedUser }) =>
      report(`a UI process${connectedUser === undefined ? "" : ` of ${connectedUser}`} was lost: ${cause} (${detail})`),
  });
  opened.defer(() => uiPool.close());
  return { uiPool, sharesAccount: isolation.kind === "shared-account" };
};
