import type { Break, Faults, QueryFault, Stage } from "./faults.ts";
import type { LoginRecord } from "./login.ts";
import { packetType } from "./packets.ts";
import type { MessageWriter } from "./packets.ts";
import { Reply, RequestOver } from "./respond.ts";
import type { Respond } from "./respond.ts";
import { readBatch, readCall, resolveCall } from "./rpc.ts";
import type { PreparedStatements, TdsRequest } from "./rpc.ts";
import type { SqlValue } from "./types.ts";

/** Answers a request. `signal` aborts when the client cancels or is gone. */
export type OnQuery = (request: TdsRequest, respond: Respond, signal: AbortSignal) => void | Promise<void>;

/** What answering one request needs of its connection. */
export interface RequestScope {
  readonly login: LoginRecord;
  readonly prepared: PreparedStatements;
  readonly signal: AbortSignal;
  readonly nullBitmapRows: boolean;
  readonly onQuery: OnQuery;
  readonly recordRequest: (request: TdsRequest) => void;
  readonly faults: () => Faults;
  /** Breaks the connection if a fault says so at this stage. */
  readonly breaksAt: (stage: Stage) => boolean;
  readonly break: (kind: Break) => void;
  readonly writer: () => MessageWriter;
  /** Did the client cancel this request? */
  readonly attentionWaits: () => boolean;
}

/** Drivers set their session up with SET statements alone; those are not the test's business. */
const onlySets = /^\s*(?:set\s[^;\n]*[;\s]*)+$/i;

/** Answers a SQLBatch or RPC message. Rejects with RequestOver when it was cancelled or broken on purpose. */
export const answerRequest = async (type: number, body: Buffer, scope: RequestScope): Promise<void> => {
  if (type === packetType.batch) await answerBatch(readBatch(body), scope);
  else await answerCall(body, scope);
};

const answerBatch = async (text: string, scope: RequestScope): Promise<void> => {
  if (!onlySets.test(text)) {
    await run({ kind: "batch", text, procedure: "", parameters: [] }, scope);
    return;
  }
  if (!scope.breaksAt("settings")) replyFor("batch", scope).end();
};

const answerCall = async (body: Buffer, scope: RequestScope): Promise<void> => {
  const call = readCall(body);
  const { run: statement, handle, error } = resolveCall(call, scope.prepared);
  const begin = (reply: Reply): void => {
    if (handle === undefined) return;
    reply.returnValue({ name: `@${call.parameters[0]?.name ?? ""}`, type: "int", value: handle });
  };
  if (statement !== undefined) {
    await run({ kind: "rpc", ...statement }, scope, begin);
    return;
  }
  const reply = replyFor("rpc", scope);
  if (error !== undefined) reply.error(error);
  begin(reply);
  reply.end();
};

const replyFor = (kind: "batch" | "rpc", scope: RequestScope, fault?: QueryFault): Reply =>
  new Reply(scope.writer(), {
    kind,
    signal: scope.signal,
    nullBitmapRows: scope.nullBitmapRows,
    interruptAfterRows: fault?.afterRows,
    interrupt: async (reply, nextRow) => {
      if (fault !== undefined) await interrupt(fault, reply, nextRow, scope);
    },
  });

const run = async (
  parts: Pick<TdsRequest, "kind" | "text" | "procedure" | "parameters">,
  scope: RequestScope,
  begin: (reply: Reply) => void = () => undefined,
): Promise<void> => {
  const { database, user, readOnlyIntent, connection } = scope.login;
  const request: TdsRequest = { ...parts, database, user, readOnlyIntent, connection };
  scope.recordRequest(request);
  if (scope.breaksAt("query")) return;
  const { query } = scope.faults();
  const fault = query?.when?.(request) === false ? undefined : query;
  const reply = replyFor(request.kind, scope, fault);
  try {
    begin(reply);
    if (fault !== undefined && fault.afterRows === undefined) await interrupt(fault, reply, [], scope);
    await scope.onQuery(request, reply, scope.signal);
    await reply.finish();
  } catch (error) {
    // A cancelled request's message must still end; one that was broken on purpose must not.
    if (scope.attentionWaits()) reply.end();
    throw error;
  }
};

const interrupt = async (
  { does }: QueryFault,
  reply: Reply,
  nextRow: readonly SqlValue[],
  { signal, break: breakConnection }: RequestScope,
): Promise<never> => {
  if (typeof does !== "string") {
    for (const message of does) reply.error(message);
    reply.end();
  } else if (does === "unknown token") {
    reply.endWithUnknownToken();
  } else if (does === "truncated row") {
    reply.endInRow(nextRow);
  } else {
    await reply.sent();
    if (does !== "wait") breakConnection(does);
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  throw new RequestOver();
};
