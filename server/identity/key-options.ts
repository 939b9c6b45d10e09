import { decodeFrom } from "./address-list.ts";

/** The options in front of a key in an authorized_keys file that this endpoint knows (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */
export interface KeyOptions {
  readonly mayComeFrom: (clientAddress: string) => boolean;
  /** Milliseconds since 1970; `undefined`: never. */
  readonly expiresAt: number | undefined;
  /** The key is a certificate authority of this user, not a key of the user. */
  readonly certAuthority: boolean;
  /** Principals of which a certificate must carry one, instead of the user's name. */
  readonly principals: readonly string[] | undefined;
  readonly verifyRequired: boolean;
  readonly noTouchRequired: boolean;
  /** No terminal; all else that OpenSSH's `restrict` takes away doesn't exist here. */
  readonly restricted: boolean;
}

const flags = new Set(["cert-authority", "restrict", "verify-required", "no-touch-required"]);
const withValue = new Set(["from", "expiry-time", "principals"]);

/** Splits `a,b="c d",e key…` after its options; quotes hide commas and blanks, and `\"` is a quote (OpenSSH's auth-options.c). */
export const splitOptions = (line: string): { readonly options: string; readonly rest: string } => {
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at];
    if (character === "\\" && line[at + 1] === '"') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === " " || character === "\t")) {
      return { options: line.slice(0, at), rest: line.slice(at).trim() };
    }
  }
  throw new Error(quoted ? "a quote is not closed" : "there is no key behind the options");
};

const option = /^(?<name>[A-Za-z0-9-]+)(?:="(?<value>(?:[^"\\]|\\.)*)")?(?:,(?=.)|$)/;

/** YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]; without Z in the time zone of this machine, as OpenSSH reads it. */
const decodeExpiry = (text: string): number => {
  const parts = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    parts?.slice(1, 7).map((part) => Number(part ?? 0)) ?? [];
  const utc = parts?.[7] === "Z";
  const at = utc
    ? new Date(Date.UTC(year, month - 1, day, hour, minute, second))
    : new Date(year, month - 1, day, hour, minute, second);
  const back = utc ? [at.getUTCMonth(), at.getUTCDate()] : [at.getMonth(), at.getDate()];
  const real = month >= 1 && back[0] === month - 1 && back[1] === day && hour < 24 && minute < 60 && second < 60;
  if (parts === null || !real || year < 1970) {
    throw new Error(
      `expiry-time "${text}" is no time; write YYYYMMDD or YYYYMMDDHHMM[SS], with a Z at the end for UTC`,
    );
  }
  return at.getTime();
};

const decodePrincipals = (text: string): readonly string[] => {
  const principals = text.split(",");
  if (principals.some((principal) => principal === "")) throw new Error("principals= has an empty name");
  return principals;
};

const readOptions = (text: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  let rest = text;
  while (rest !== "") {
    const { 0: whole, groups } = option.exec(rest) ?? { 0: "", groups: undefined };
    const name = groups?.["name"]?.toLowerCase();
    if (name === undefined)
      throw new Error('the options can\'t be read; they are name or name="value", with commas between');
    const value = groups?.["value"];
    if (flags.has(name) ? value !== undefined : withValue.has(name) && value === undefined) {
      throw new Error(flags.has(name) ? `${name} takes no value` : `${name} needs a value, as ${name}="…"`);
    }
    if (!flags.has(name) && !withValue.has(name)) throw new Error(`the option ${name} is not supported`);
    if (found.has(name)) throw new Error(`${name} stands twice`);
    found.set(name, (value ?? "").replaceAll('\\"', '"'));
    rest = rest.slice(whole.length);
  }
  return found;
};

/**
 * @param text the options of one line, without the key; may be empty
 * @throws Error in words for an option that is unknown, doubled or wrong: silence would turn a restriction off
 */
export const decodeKeyOptions = (text: string): KeyOptions => {
  const found = readOptions(text);
  const [from, expiry, principals] = [found.get("from"), found.get("expiry-time"), found.get("principals")];
  const certAuthority = found.has("cert-authority");
  if (principals !== undefined && !certAuthority) throw new Error("principals= goes with cert-authority only");
  return {
    mayComeFrom: from === undefined ? () => true : decodeFrom(from),
    expiresAt: expiry === undefined ? undefined : decodeExpiry(expiry),
    certAuthority,
    principals: principals === undefined ? undefined : decodePrincipals(principals),
    verifyRequired: found.has("verify-required"),
    noTouchRequired: found.has("no-touch-required"),
    restricted: found.has("restrict"),
  };
};
