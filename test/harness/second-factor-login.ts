import { expect, vi } from "vitest";
import type { AuditEvent } from "../../server/audit/event.ts";
import { signedBytes } from "./key-attempt.ts";
import type { Stage } from "./second-factor-stage.ts";
import { ed25519Key, type SigningKey } from "./signing-key.ts";
import { attack, message, type Attacker } from "./ssh-attacker.ts";
import { startTestServer, type TestServer } from "./ssh-attacker-server.ts";

/** One client on its way through key and code. */
interface Visitor extends Attacker {
  /** Signs with the key, and waits for the answer. @returns what ssh said: `publickey`, `keyboard-interactive partial` … */
  readonly sign: () => Promise<string>;
  /** Asks to be asked, and waits for the question. @returns what stands above it; "closed" when the connection ended */
  readonly ask: () => Promise<string>;
  /** Answers, and waits for what comes of it. */
  readonly answer: (...texts: readonly string[]) => Promise<"in" | "refused" | "closed">;
}

export interface Reception {
  readonly it: TestServer;
  /** Of `support`. */
  readonly key: SigningKey;
  readonly visit: (user?: string, key?: SigningKey) => Promise<Visitor>;
  /** Of the log, in order: how each attempt ended. */
  readonly outcomes: () => string[];
}

const summary = (event: Extract<AuditEvent, { type: "authentication" }>): string =>
  event.outcome === "refused" ? (event.reason ?? "") : event.outcome;

/** A real SSH server whose users need a code, and clients that speak by hand. */
export const openReception = async (
  stage: Pick<Stage, "secondFactor">,
  options: Parameters<typeof startTestServer>[1] = {},
): Promise<Reception> => {
  const it = await startTestServer(undefined, { secondFactor: stage.secondFactor, ...options });
  const key = ed25519Key();
  it.authorize("support", key.line);
  return {
    it,
    key,
    outcomes: () => it.eventsOf("authentication").map(summary),
    async visit(user = "support", withKey = key) {
      const attacker = await attack(it.port);
      let closed = false;
      void attacker.closed.then(() => (closed = true));
      const heard = (name: string): number => attacker.heardOf(name).length;
      const wait = (holds: () => boolean): Promise<void> =>
        vi.waitFor(() => expect(holds()).toBe(true), { timeout: 20_000, interval: 10 });
      return {
        ...attacker,
        async sign() {
          const before = heard("USERAUTH_FAILURE");
          const signed = signedBytes(user, withKey.type, withKey.blob, attacker.sessionId());
          attacker.send(message.publicKeyRequest(user, withKey.type, withKey.blob, withKey.sign(signed)));
          await wait(() => heard("USERAUTH_FAILURE") > before || heard("USERAUTH_SUCCESS") > 0);
          if (heard("USERAUTH_SUCCESS") > 0) return "in";
          const [methods, partial] = attacker.heardOf("USERAUTH_FAILURE").at(-1)?.args ?? [];
          return `${String(methods)}${partial === true ? " partial" : ""}`;
        },
        async ask() {
          const before = heard("USERAUTH_INFO_REQUEST");
          attacker.send(message.keyboardRequest(user));
          await wait(() => closed || heard("USERAUTH_INFO_REQUEST") > before);
          if (heard("USERAUTH_INFO_REQUEST") === before) return "closed";
          return String(attacker.heardOf("USERAUTH_INFO_REQUEST").at(-1)?.args[1]);
        },
        async answer(...texts) {
          const before = heard("USERAUTH_FAILURE");
          attacker.send(message.answers(...texts));
          await wait(() => closed || heard("USERAUTH_FAILURE") > before || heard("USERAUTH_SUCCESS") > 0);
          if (heard("USERAUTH_SUCCESS") > 0) return "in";
          return heard("USERAUTH_FAILURE") > before ? "refused" : "closed";
        },
      };
    },
  };
};
