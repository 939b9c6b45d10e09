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
  /**
   * Rows counted once it was asked for; more are refused. `undefined` where the command counts none, where they are not counted yet,
   * and for the requester until it is approved: what the site has is not theirs to know.
   */
  readonly ceiling: number | undefined;
  /** What the approver should know beside the rows: that something is not there, or why they are not counted. */
  readonly finding: string | undefined;
  /** Nothing more will be found out: it was counted, or the command counts nothing. */
  readonly isCounted: boolean;
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
  /**
   * A request whose rows are counted: waits for it.
   *
   * @throws EndpointError ObjectNotFound, InvalidArgument where this user may not decide it, ResourceUnavailable where they can't be counted
   */
  findToApprove(requestId: string): Promise<Elevation>;
  /** Durable and on the record when it resolves. @throws EndpointError as `findToApprove` */
  decide(requestId: string, decision: "approved" | "denied", comment: string): Promise<Elevation>;
}
