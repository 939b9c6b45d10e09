import { execPath } from "node:process";
import { judgeIsolation } from "../../server/session/interactive/isolation.ts";
import type { UiProcessOptions } from "../../server/session/interactive/start-ui-process.ts";
import { lookAtMachine, type Machine } from "../../server/session/interactive/accounts/machine.ts";

/** As endpoint.json has it by itself. */
export const accounts = { first: 60_736, last: 61_183 } as const;

/** This machine. */
export const machine: Machine = await lookAtMachine({
  program: execPath,
  bundle: import.meta.filename,
  range: accounts,
  unanswered: (problem) => {
    throw new Error(problem);
  },
});

/** What the product gives UI processes on this machine; for a demo, so that screens start wherever the tests run. */
export const isolation = judgeIsolation(machine, { accounts, acceptSharedAccount: true });

/** How one UI process is started, without a pool around it. */
export const processOptions: UiProcessOptions = {
  heartbeatMs: 1,
  silenceMs: 1,
  startMs: 1,
  heapMb: 96,
  residentMb: 384,
  covered: [],
  nullDescriptor: -1,
};
