import * as z from "zod";
import { otherSecrets } from "../secret.ts";
import { event, saying } from "./define-event.ts";
import { origin, provedBy } from "./event-parts.ts";

const disclosedKey = z.strictObject({ keyId: z.string(), computerName: z.string() });

/** What leaves the site database, and what is looked for in it: each counts against a limit. */
export const disclosureEvents = [
  event(
    "disclosure",
    "Recovery keys, or what else is secret, are about to be shown. Durable before their first byte leaves the server.",
    {
      ...origin.shape,
      invocationId: z.string(),
      command: z.string(),
      how: z.enum(["exec", "interactive", "line"]),
      reason: z.string().optional(),
      ...provedBy(),
      what: z
        .enum(otherSecrets)
        .optional()
        .register(...saying("What of the keys; absent: the recovery keys themselves.")),
      keys: z.array(disclosedKey),
    },
  ),
  event("search", "Keys are about to be searched for. Durable before the site is asked.", {
    ...origin.shape,
    invocationId: z.string(),
    command: z.string(),
    roleCapability: z.string(),
    piece: z.string().register(...saying("What is searched for; key-shaped text is refused.")),
    ...provedBy(),
  }),
] as const;
