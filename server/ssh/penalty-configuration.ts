import * as z from "zod";
import { decodeNetworks } from "../identity/address-list.ts";
import { defaultPenalties } from "./penalties.ts";
import type { PenaltySettings } from "./penalties.ts";

const day = 24 * 60 * 60;
const seconds = (ms: number, description: string) =>
  z
    .number()
    .int()
    .min(0)
    .max(day)
    .default(ms / 1000)
    .register(z.globalRegistry, { description, unit: "seconds" });
const sources = (most: number, description: string) =>
  z.number().int().min(1).max(1_000_000).default(most).register(z.globalRegistry, { description, unit: "sources" });
const overflow = z.enum(["permissive", "deny-all"]);

const { penaltyMs, minMs, maxMs, maxSources4, maxSources6 } = defaultPenalties;

export const perSourcePenalties = z
  .union([
    z.literal(false),
    z
      .strictObject({
        authfail: seconds(penaltyMs.authfail, "The log-in was asked for and refused."),
        noauth: seconds(penaltyMs.noauth, "The connection ended without a log-in."),
        "grace-exceeded": seconds(penaltyMs["grace-exceeded"], "The time for the log-in ran out."),
        // In the place of OpenSSH's `crash`: no connection has a process here that could.
        violation: seconds(penaltyMs.violation, "The client did what only an attack does."),
        refuseconnection: seconds(penaltyMs.refuseconnection, "The user's budget for the record is used up."),
        max: seconds(maxMs, "The most that one source can have before it."),
        min: seconds(minMs, "Penalties count from here on: connections of the source are closed before the log-in."),
        "max-sources4": sources(maxSources4, "IPv4 addresses that are remembered."),
        "max-sources6": sources(maxSources6, "IPv6 networks (/64) that are remembered."),
        overflow: overflow.default("permissive").register(z.globalRegistry, {
          description: "With a full table: forget the penalties that end first, or refuse everybody who is not exempt.",
        }),
        overflow6: overflow.optional().register(z.globalRegistry, {
          description: "The same for IPv6.",
          leftOut: "as `overflow`",
          examples: ["deny-all"],
        }),
      })
      .refine(({ min, max }) => min < max, "min must be less than max, or no penalty would ever count"),
  ])
  .register(z.globalRegistry, {
    description:
      "What sources earn by connections that end without a log-in (OpenSSH's PerSourcePenalties). `false`: nothing.",
  });

export const perSourcePenaltyExemptList = z
  .array(
    z.string().refine((text) => {
      try {
        decodeNetworks(text);
        return !text.includes(",");
      } catch {
        return false;
      }
    }, "must be an address or a network, as 192.0.2.7 or 2001:db8::/32"),
  )
  .max(1000)
  .register(z.globalRegistry, {
    description: "Addresses and networks without penalties: a jump host, behind which many people are one source.",
  });

export const penaltySettings = (
  penalties: z.output<typeof perSourcePenalties>,
  exempt: readonly string[],
): PenaltySettings => {
  const networks = exempt.map(decodeNetworks);
  if (penalties === false) return { ...defaultPenalties, isExempt: () => true };
  return {
    penaltyMs: {
      authfail: penalties.authfail * 1000,
      noauth: penalties.noauth * 1000,
      "grace-exceeded": penalties["grace-exceeded"] * 1000,
      violation: penalties.violation * 1000,
      refuseconnection: penalties.refuseconnection * 1000,
    },
    maxMs: penalties.max * 1000,
    minMs: penalties.min * 1000,
    maxSources4: penalties["max-sources4"],
    maxSources6: penalties["max-sources6"],
    overflow4: penalties.overflow,
    overflow6: penalties.overflow6 ?? penalties.overflow,
    isExempt: (address) => networks.some((contains) => contains(address)),
  };
};
