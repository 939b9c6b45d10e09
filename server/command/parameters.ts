import { given } from "./given.ts";
import type { BoundField } from "./site-database.ts";

/** A parameter's value as typed: `true` for a bare switch, else one text or several (`-Name a,b`). */
export type RawValue = true | string | readonly string[];
/** Keys are whole parameter names in the definition's own spelling; prefixes were resolved before. */
export type RawParameters = ReadonlyMap<string, RawValue>;

/**
 * One text decoded: its value, and its text in canonical spelling. Or what is wrong: `value` where the kind's own words
 * (`expects`, or the closed set) say it all, else words that go on from "-Name must be …".
 */
type Decoded<T> = { readonly value: T; readonly text: string } | { readonly problem: string };

/** What texts a parameter takes. */
export interface Kind<T> {
  /** `<name>`, `<GUID>`, … in syntax lines. */
  readonly placeholder: string;
  /** Goes on from "-Name must be …". */
  readonly expects: string;
  /** A closed set. */
  readonly values?: readonly string[];
  readonly suggestions?: readonly string[];
  decode(text: string): Decoded<T>;
}

export interface Parameter<T> {
  readonly shape: "switch" | "value" | "list";
  readonly synopsis: string;
  readonly placeholder: string;
  readonly expects: string;
  readonly values?: readonly string[];
  readonly suggestions?: readonly string[];
  /** A bare name in the roles does not grant it: it must be listed. */
  readonly restricted: boolean;
  readonly required: boolean;
  readonly position?: number;
  /** A role's rule on this parameter bounds the keys that are there at all, not only the values that may be typed. */
  readonly bounds?: BoundField;
  /** The parameter that a line's first word is for, where it finds nothing as this one's value and can be that one's. */
  readonly elseReadAs?: string;
  /** A search: granted by an entry's `search` rule alone, which also bounds it. */
  readonly searches?: true;
  decode(raw: RawValue): { readonly value: T; readonly texts: readonly string[] } | { readonly problem: string };
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

type RequiredNames<P> = { [N in keyof P]: P[N] extends { readonly required: true } ? N : never }[keyof P];

/** What `run` gets: a value for each required parameter, maybe one for each other. */
export type Values<P extends Parameters> = {
  readonly [N in RequiredNames<P>]: P[N] extends Parameter<infer T> ? T : never;
} & {
  readonly [N in Exclude<keyof P, RequiredNames<P>>]?: P[N] extends Parameter<infer T> ? T : never;
};

interface Options {
  readonly synopsis: string;
  readonly restricted?: true;
  readonly position?: number;
  readonly bounds?: BoundField;
  readonly elseReadAs?: string;
  readonly searches?: true;
}

const about = (kind: Kind<unknown>, options: Options) => ({
  synopsis: options.synopsis,
  placeholder: kind.placeholder,
  expects: kind.expects,
  restricted: options.restricted ?? false,
  ...given({
    values: kind.values,
    suggestions: kind.suggestions,
    position: options.position,
    bounds: options.bounds,
    elseReadAs: options.elseReadAs,
    searches: options.searches,
  }),
});

const noValue = { problem: "given a value" };

/** On when named, off when left out. */
export const flag = (options: Options): Parameter<true> => ({
  shape: "switch",
  synopsis: options.synopsis,
  placeholder: "",
  expects: "named alone: it is a switch",
  restricted: options.restricted ?? false,
  required: false,
  decode: (raw) => (raw === true ? { value: true, texts: [] } : { problem: "value" }),
});

const decodeOne = <T>(kind: Kind<T>, raw: RawValue): ReturnType<Parameter<T>["decode"]> => {
  if (raw === true) return noValue;
  if (typeof raw !== "string") return { problem: `one value, not a list: ${kind.expects}` };
  const decoded = kind.decode(raw);
  return "problem" in decoded ? decoded : { value: decoded.value, texts: [decoded.text] };
};

export const value = <T>(kind: Kind<T>, options: Options): Parameter<T> => ({
  ...about(kind, options),
  shape: "value",
  required: false,
  decode: (raw) => decodeOne(kind, raw),
});

export const requiredValue = <T>(kind: Kind<T>, options: Options): Parameter<T> & { readonly required: true } => ({
  ...about(kind, options),
  shape: "value",
  required: true,
  decode: (raw) => decodeOne(kind, raw),
});

/** One or more texts with commas between; each is decoded alone, so each is checked alone. */
export const list = <T>(kind: Kind<T>, options: Options): Parameter<readonly T[]> => ({
  ...about(kind, options),
  shape: "list",
  required: false,
  decode: (raw) => {
    if (raw === true) return noValue;
    const values: T[] = [];
    const texts: string[] = [];
    for (const text of typeof raw === "string" ? [raw] : raw) {
      const decoded = kind.decode(text);
      if ("problem" in decoded) return decoded;
      if (texts.includes(decoded.text)) continue; // the same one twice asks for nothing more
      values.push(decoded.value);
      texts.push(decoded.text);
    }
    return { value: values, texts };
  },
});
