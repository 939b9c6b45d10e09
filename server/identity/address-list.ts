import { BlockList, isIP } from "node:net";

/* What OpenSSH's addr.c and addrmatch.c read, with the errors that they make of a slip of the pen. */

interface Network {
  readonly contains: (address: string) => boolean;
}

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

const bytesOf = (address: string): readonly number[] => {
  if (isIP(address) === 4) return address.split(".").map(Number);
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, front = "", a = "", b = "", c = "", d = ""] = dotted ?? [];
  const hex = (high: string, low: string): string => (Number(high) * 256 + Number(low)).toString(16);
  const plain = dotted === null ? address : `${front}${hex(a, b)}:${hex(c, d)}`;
  const [head = "", tail] = plain.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const left = groups(head);
  const right = groups(tail ?? "");
  const middle = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...middle, ...right].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
};

/** `10.0.0.1/8` is a mistake whose meaning nobody can know: OpenSSH refuses it too. */
const hasHostBits = (address: string, length: number): boolean =>
  bytesOf(address).some((byte, index) => (byte & (0xff >> Math.min(8, Math.max(0, length - index * 8)))) !== 0);

/**
 * One address or CIDR block. Throws for anything else: `10.0.0.0/`, read leniently, would be everybody.
 */
const decodeNetwork = (text: string): Network => {
  const [address = "", length, ...more] = text.split("/");
  const longest = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || address.includes("%") || more.length > 0) throw new Error(`"${text}" is no network`);
  if (length !== undefined && (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > longest)) {
    throw new Error(`"${text}" is no network`);
  }
  const bits = length === undefined ? longest : Number(length);
  if (hasHostBits(address, bits)) throw new Error(`"${text}" has bits behind its length`);
  const list = new BlockList();
  list.addSubnet(address, bits, family(address));
  const own = family(address);
  return { contains: (client) => isIP(client) !== 0 && family(client) === own && list.check(client, own) };
};

/**
 * `source-address` of a certificate: comma-separated addresses and CIDR blocks, nothing else.
 * @throws Error
 */
export const decodeNetworks = (text: string): ((clientAddress: string) => boolean) => {
  const networks = text.split(",").map(decodeNetwork);
  return (clientAddress) => networks.some((network) => network.contains(clientAddress));
};

/** A pattern over an address as it is written, `*` and `?` (OpenSSH's match_pattern). */
const decodePattern = (pattern: string): Network => {
  const body = pattern.replaceAll(".", "\\.").replaceAll(/\*+/g, ".*").replaceAll("?", ".");
  const whole = new RegExp(`^${body}$`);
  return { contains: (client) => whole.test(client) };
};

/**
 * `from=` of an authorized_keys line: addresses, CIDR blocks, patterns of addresses, and `!` in front of any of them, which
 * wins wherever it stands. A host name is an error: like OpenSSH without UseDNS this endpoint asks no name server.
 * @throws Error
 */
export const decodeFrom = (text: string): ((clientAddress: string) => boolean) => {
  const entries = text.split(",").map((entry) => {
    const negated = entry.startsWith("!");
    const what = negated ? entry.slice(1) : entry;
    const isPattern = /^[0-9a-fA-F:.*?]{1,64}$/.test(what) && /[*?]/.test(what);
    if ((what.match(/\*+/g)?.length ?? 0) > 4) throw new Error(`from="${text}" has a pattern with too many stars`);
    if (!isPattern && isIP(what.split("/")[0] ?? "") === 0) {
      throw new Error(`from= takes addresses, CIDR blocks and patterns of addresses, not "${what}"`);
    }
    return { negated, network: isPattern ? decodePattern(what) : decodeNetwork(what) };
  });
  return (clientAddress) => {
    const matching = entries.filter(({ network }) => network.contains(clientAddress));
    return matching.length > 0 && !matching.some(({ negated }) => negated);
  };
};
