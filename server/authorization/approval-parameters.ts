import { requestId } from "../command/parameter-kinds.ts";
import { flag, value } from "../command/parameters.ts";
import type { Parameter } from "../command/parameters.ts";

/**
 * What a line may say of its own approval. Not parameters of any command, so no command can forget to take them and what
 * is approved is the invocation without them; they exist where a role entry requires approval, and nowhere else.
 */
export const approvalParameters: ReadonlyMap<string, Parameter<unknown>> = new Map<string, Parameter<unknown>>([
  ["RequestId", value(requestId, { synopsis: "The approved request that this invocation uses up." })],
  ["Wait", flag({ synopsis: "Wait until the request is decided, then run." })],
]);
