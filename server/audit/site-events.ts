import * as z from "zod";
import { event, saying } from "./define-event.ts";

/** What all rows of the embedded site database together are after a write, as the record knows it. */
export const siteState = z.strictObject({
  counter: z
    .number()
    .int()
    .register(...saying("Of writes of that database, from 1.")),
  digest: z
    .string()
    .register(
      ...saying(
        "Keyed, of the rows and of the state before it: it says that a state is this one, and nothing of its rows.",
      ),
    ),
  keys: z.number().int(),
  links: z
    .number()
    .int()
    .register(...saying("Rows that tie a computer to a volume.")),
});

export type SiteState = Readonly<z.infer<typeof siteState>>;

const rowNumbers = siteState.pick({ keys: true, links: true });

/** Why no key is shown: the rows are not those that the record knows. */
const siteRefusals = [
  /** A state before the record's: an older copy. */
  "older",
  /** Neither the record's state nor its successor. */
  "other",
  /** Written before, but the record has no state of it. */
  "unknown",
  /** What seals the state is missing, or was not written with the master key. */
  "unsealed",
  /** The rows are not those of the sealed state. */
  "rows",
] as const;

/** No key is shown any more: the rows are not those that the record knows. Once for what was found. */
const siteRefused = event(
  "site-refused",
  "No key is shown: the rows of the site database are not those that the record knows.",
  {
    reason: z.enum(siteRefusals),
    recorded: siteState.optional(),
    found: siteState
      .optional()
      .register(...saying("What the database says of itself; absent where that can't be trusted.")),
    rows: rowNumbers.optional().register(...saying("What was counted in it.")),
    detail: z
      .string()
      .optional()
      .register(...saying("What the file's structure is damaged by.")),
  },
);

export type SiteRefused = Readonly<z.infer<typeof siteRefused>>;

/** What becomes of the embedded site database's rows. The newest of `site-written` and `site-restore-accepted` is the state that counts. */
export const siteEvents = [
  event("site-written", "Rows of the embedded site database were written, or their state is said again.", {
    ...siteState.shape,
  }),
  siteRefused,
  event("site-restore-accepted", "An administrator of the machine accepted the rows as they are.", {
    localUser: z.string(),
    ...siteState.shape,
    recorded: siteState.optional(),
    found: siteState.optional(),
    wrongRows: z
      .number()
      .int()
      .register(...saying("Rows whose own digest is wrong: they stay refused.")),
  }),
  event(
    "certificate-renewal",
    "The certificate of the embedded site database is renewed by an administrator of the machine.",
    {
      localUser: z.string(),
      step: z
        .enum(["began", "resumed", "moved", "retired"])
        .describe(
          "The new one is there; a renewal that ended early goes on; its keys have moved; the old one was taken out.",
        ),
      thumbprint: z.string().describe("Of the new certificate: SHA-256, hexadecimal."),
      oldThumbprint: z.string(),
      moved: z.number().int().describe("Encrypted cells that were moved to the new one by this run."),
      closed: z
        .number()
        .int()
        .describe("Encrypted cells that open with no certificate, or are not those that were imported."),
    },
  ),
  event("master-key-renewed", "A lost master key was replaced, with the certificate from a backup.", {
    localUser: z.string(),
    thumbprint: z.string().describe("Of the certificate: SHA-256, hexadecimal."),
    unreadableCells: z.number().int().describe("Encrypted cells that the backup does not open: they stay refused."),
  }),
] as const;
