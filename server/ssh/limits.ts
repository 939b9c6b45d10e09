/** What one peer, or all of them together, may take. Every number is a guard against a measured attack. */
export interface Limits {
  /** Open sockets, in all and for one address (an IPv6 /64 counts as one) before their log-in. */
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** Connections that a user is logged in on. */
  readonly connectionsPerUser: number;
  /** How long a connection may be without a session after its log-in. */
  readonly connectionIdleMs: number;
  /** Log-ins in progress for one address; more of them wait their turn, unread. */
  readonly loginsPerAddress: number;
  /** Random early drop of log-ins in progress, as sshd_config's MaxStartups begin:rate:full. */
  readonly startupsBegin: number;
  readonly startupsRatePercent: number;
  readonly startupsFull: number;
  readonly identificationBytes: number;
  readonly identificationMs: number;
  /** How long our KEXINIT waits for the client's. */
  readonly keyExchangePatienceMs: number;
  readonly loginGraceMs: number;
  /** From the key's proof to a right code, where one is asked for; sshd's LoginGraceTime. */
  readonly codeMs: number;
  readonly preAuthenticationBytesIn: number;
  readonly preAuthenticationBytesOut: number;
  readonly authenticationTries: number;
  readonly failureDelayMs: number;
  /** Bytes waiting in one socket: output of sessions waits above the first, the client is not read on above the second. */
  readonly socketHighWater: number;
  readonly answersWaiting: number;
  /** Messages of one client that are no data: so many at once, then so many a second. */
  readonly messagesAtOnce: number;
  readonly messagesASecond: number;
  /** A client that accepts only smaller packets would make us send a byte at a time. */
  readonly smallestPacket: number;
  readonly channelsPerConnection: number;
  readonly refusedOpens: number;
  readonly requestsPerSession: number;
  readonly execLineBytes: number;
  /** Receive window of a channel: the most a client can make us hold. */
  readonly receiveWindow: number;
  readonly resizeIntervalMs: number;
  /** Messages for channels that are not there. */
  readonly strayMessages: number;
  /** Refused requests recorded one by one: this many at once, then one more each interval; the rest as a number. */
  readonly recordedRefusals: number;
  readonly recordedRefusalIntervalMs: number;
  readonly rekeyBytes: number;
  readonly rekeyMs: number;
  readonly keyExchangeMs: number;
  readonly keyExchangeQueue: number;
  /** Key exchanges a client may start in a minute after less traffic than `cheapRekeyBytes`. */
  readonly cheapRekeysPerMinute: number;
  readonly cheapRekeyBytes: number;
  readonly keepaliveMs: number;
  readonly keepaliveCount: number;
  /** From a half-close, or from an error, to the end of the socket. */
  readonly closeMs: number;
  readonly errorMs: number;
  /** How long `close()` waits for sessions to notice that their channels are gone. */
  readonly sessionEndMs: number;
}

export const defaultLimits: Limits = {
  connections: 512,
  connectionsPerAddress: 64,
  connectionsPerUser: 64,
  connectionIdleMs: 3_600_000,
  loginsPerAddress: 8,
  startupsBegin: 10,
  startupsRatePercent: 30,
  startupsFull: 100,
  identificationBytes: 255,
  identificationMs: 5_000,
  keyExchangePatienceMs: 25,
  loginGraceMs: 30_000,
  codeMs: 120_000,
  preAuthenticationBytesIn: 256 * 1024,
  preAuthenticationBytesOut: 128 * 1024,
  authenticationTries: 6,
  failureDelayMs: 300,
  socketHighWater: 1024 * 1024,
  answersWaiting: 1536 * 1024,
  messagesAtOnce: 1_000,
  messagesASecond: 400,
  smallestPacket: 256,
  channelsPerConnection: 10,
  refusedOpens: 32,
  requestsPerSession: 64,
  execLineBytes: 16 * 1024,
  receiveWindow: 256 * 1024,
  resizeIntervalMs: 50,
  strayMessages: 256,
  recordedRefusals: 64,
  recordedRefusalIntervalMs: 10_000,
  rekeyBytes: 1024 * 1024 * 1024,
  rekeyMs: 3_600_000,
  keyExchangeMs: 20_000,
  keyExchangeQueue: 1_024,
  cheapRekeysPerMinute: 6,
  cheapRekeyBytes: 8 * 1024 * 1024,
  keepaliveMs: 30_000,
  keepaliveCount: 3,
  closeMs: 2_000,
  errorMs: 200,
  sessionEndMs: 10_000,
};
