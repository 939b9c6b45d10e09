type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> } & {
  readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K];
};

/**
 * The fields that have a value. A query says what was not asked for by leaving it out, so that what is spread over it never takes an
 * `undefined` for an answer.
 */
export const given = <T extends object>(fields: T): Given<T> =>
  // Only what is `undefined` was left out, as the type says.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;
