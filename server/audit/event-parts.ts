import * as z from "zod";
import { saying } from "./define-event.ts";

/** Where an event comes from. `connectedUser` is there only once a signature proved it; before that it is `claimedUser`. */
export const origin = z.strictObject({
  connectionId: z.string().optional(),
  sessionId: z.string().optional(),
  clientAddress: z.string().optional(),
  claimedUser: z.string().optional(),
  connectedUser: z.string().optional(),
});

export const partyCertificate = z.strictObject({ authority: z.string(), keyId: z.string() });

/** Another one each time: a description belongs to the event that it is registered for. */
export const provedBy = () => ({
  keyFingerprint: z
    .string()
    .optional()
    .register(...saying("What proved who it was: limits count by it too.")),
  certificate: partyCertificate.optional(),
});
