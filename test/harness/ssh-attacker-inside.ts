import { attack, type Attacker } from "./ssh-attacker.ts";
import { quietHost, startTestServer, type Serve, type TestServer } from "./ssh-attacker-server.ts";

/** An attacker who is logged in to a server of their own. */
export const attackFromWithin = async (
  serve: Serve = quietHost,
  limits: NonNullable<Parameters<typeof startTestServer>[1]>["limits"] = {},
): Promise<{ readonly it: TestServer; readonly attacker: Attacker }> => {
  const it = await startTestServer(serve, { limits });
  const attacker = await attack(it.port, { user: "support", privateKey: it.key.privateKey });
  return { it, attacker };
};
