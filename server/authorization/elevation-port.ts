export const elevationStates = ["pending", "approved", "denied", "consumed", "expired"] as const;
export type ElevationState = (typeof elevationStates)[number];

/** One request for one exact invocation, as people see it. */
export interface Elevation {
  /** `E-` and ten hexadecimal digits. */
  readonly requestId: string;
  readonly state: ElevationState;
  readonly requester: string;
  /** The invocation in canonical form: what is approved, and nothing else. */
  readonly invocation: string;
  readonly reason: string | undefined;
  /** Rows counted when it was asked for; more are refused. `undefined` where the command counts none. */
  readonly ceiling: number | undefined;
  readonly requestedAt: Date;
  /** While pending: until when it can be decided. Once approved: until when it can be used. */
  readonly expiresAt: Date;
  readonly decidedBy: string | undefined;
  readonly comment: string | undefined;
}

/** What commands may do with elevation, for the connected user of one session. */
export interface ElevationPort {
  /**
   * Asks for the approval of a whole line, which this user can see and which needs approval.
   * Throws what binding the line throws, `InvalidArgument` where it needs none.
   */
  request(line: string, reason: string | undefined): Promise<Elevation>;
  /** This user's own requests, newest first. */
  own(): readonly Elevation[];
  /** Pending requests that this user could decide: not their own, none of their own key. */
  toDecide(): readonly Elevation[];
  /** @throws EndpointError ObjectNotFound, or InvalidArgument where this user may not decide it */
  findToDecide(requestId: string): Elevation;
  /** Durable and on the record when it resolves. */
  decide(requestId: string, decision: "approved" | "denied", comment: string): Promise<Elevation>;
}
