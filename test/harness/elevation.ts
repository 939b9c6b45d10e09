import type { ElevationGate } from "../../server/authorization/elevation-gate.ts";
import type { ElevationPort } from "../../server/command/elevation-port.ts";

const unused = (): never => {
  throw new Error("nothing in this test needs approval");
};

/** For tests whose roles require no approval. */
export const noElevationPort: ElevationPort = {
  request: unused,
  own: unused,
  toDecide: unused,
  findToApprove: unused,
  decide: unused,
};

export const noElevation: ElevationGate = {
  settle: async (bound) => (bound.approval === undefined ? undefined : unused()),
  use: async (bound) => (bound.approval === undefined ? undefined : unused()),
  portFor: () => noElevationPort,
};
