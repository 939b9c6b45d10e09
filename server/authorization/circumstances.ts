import { BlockList, isIP } from "node:net";
import type { Complain } from "./check-entry.ts";
import type { RolesFile } from "./roles-schema.ts";

/** What besides the user's name decides: when, and from where. */
export interface Circumstances {
  readonly clientAddress: string;
  readonly at: Date;
}

type Definition = RolesFile["roleDefinitions"][string];
type Window = NonNullable<Definition["when"]>;
type Condition = (circumstances: Circumstances | undefined) => boolean;

const daysOfWeek = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;

/** A link-local address comes with its interface. */
const plainAddress = (address: string): string => address.replace(/%.*$/, "");

const familyOf = (address: string): "ipv4" | "ipv6" | undefined => {
  const family = isIP(address);
  return family === 4 ? "ipv4" : family === 6 ? "ipv6" : undefined;
};

const checkNetworks = (
  networks: readonly string[],
  path: readonly PropertyKey[],
  complain: Complain,
): ((address: string) => boolean) => {
  const list = new BlockList();
  networks.forEach((network, index) => {
    const [, address = "", bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const family = familyOf(address);
    const most = family === "ipv4" ? 32 : 128;
    const prefix = bits === undefined ? most : Number(bits);
    if (family === undefined || prefix > most) {
      complain(
        [...path, index],
        `${JSON.stringify(network)} is no address or network; write 192.0.2.0/24 or 2001:db8::/32.`,
      );
      return;
    }
    list.addSubnet(address, prefix, family);
  });
  return (address) => {
    const plain = plainAddress(address);
    const family = familyOf(plain);
    return family !== undefined && list.check(plain, family);
  };
};

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

const zoneClock = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });

const checkWindow = (window: Window, path: readonly PropertyKey[], complain: Complain): ((at: Date) => boolean) => {
  const from = minutesOf(window.from);
  const to = minutesOf(window.to);
  if (from === to) complain([...path, "to"], "is the same as from, so the time would be empty.");
  let clock: Intl.DateTimeFormat;
  try {
    clock = zoneClock(window.timeZone);
  } catch {
    complain([...path, "timeZone"], "is no time zone; write one as Europe/Berlin or UTC.");
    return () => false;
  }
  const days = new Set<number>((window.days ?? daysOfWeek).map((day) => daysOfWeek.indexOf(day)));
  return (at) => {
    const parts = new Map(clock.formatToParts(at).map(({ type, value }) => [type, value]));
    const minute = Number(parts.get("hour")) * 60 + Number(parts.get("minute"));
    const day = daysOfWeek.findIndex((name) => name === parts.get("weekday"));
    if (from < to) return days.has(day) && minute >= from && minute < to;
    // Over midnight: what counts is the day on which it began.
    return (days.has(day) && minute >= from) || (days.has((day + 6) % 7) && minute < to);
  };
};

/**
 * Compiles when and from where a role definition counts. Where the circumstances are not known, one that asks for any
 * does not count.
 */
export const checkCondition = (definition: Definition, path: readonly PropertyKey[], complain: Complain): Condition => {
  const { when, from } = definition;
  const inTime = when === undefined ? () => true : checkWindow(when, [...path, "when"], complain);
  const inNetwork = from === undefined ? () => true : checkNetworks(from, [...path, "from"], complain);
  if (when === undefined && from === undefined) return () => true;
  return (circumstances) =>
    circumstances !== undefined && inTime(circumstances.at) && inNetwork(circumstances.clientAddress);
};

export const conditionInWords = ({ when, from }: Definition): string =>
  [
    ...(when === undefined
      ? []
      : [`${when.days === undefined ? "daily" : when.days.join(", ")} ${when.from} to ${when.to} ${when.timeZone}`]),
    ...(from === undefined ? [] : [`from ${from.join(", ")}`]),
  ].join(", ");
