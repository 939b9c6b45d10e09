import * as z from "zod";
import { decodeNetworks } from "./address-list.ts";
import { defaultPenalties } from "./penalties.ts";
import type { PenaltySettings } from "./penalties.ts";

const day = 24 * 60 * 60;
const seconds = (ms: number) =>
  z
    .number()
    .int()
    .min(0)
    .max(day)
    .default(ms / 1000);
const sources = z.number().int().min(1).max(1_000_000);
const overflow = z.enum(["permissive", "deny-all"]);

const { penaltyMs, minMs, maxMs, maxSources4, maxSources6 } = defaultPenalties;

/** OpenSSH's PerSourcePenalties, in seconds, as settings of `endpoint.json`; `false` switches penalties off. */
export const perSourcePenalties = z.union([
  z.literal(false),
  z
    .strictObject({
      authfail: seconds(penaltyMs.authfail),
      noauth: seconds(penaltyMs.noauth),
      "grace-exceeded": seconds(penaltyMs["grace-exceeded"]),
      /** In the place of OpenSSH's `crash`: no connection has a process here that could. */
      violation: seconds(penaltyMs.violation),
      refuseconnection: seconds(penaltyMs.refuseconnection),
      max: seconds(maxMs),
      min: seconds(minMs),
      "max-sources4": sources.default(maxSources4),
      "max-sources6": sources.default(maxSources6),
      overflow: overflow.default("permissive"),
      /** Left out: as `overflow`. */
      overflow6: overflow.optional(),
    })
    .refine(({ min, max }) => min < max, "min must be less than max, or no penalty would ever count"),
]);

/** Addresses and networks without penalties: a jump host, behind which many people are one source. */
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
  .max(1000);

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
