/** `1 key`, `2 keys`. */
export const plural = (count: number, one: string, figures = String(count)): string =>
  `${figures} ${count === 1 ? one : `${one}s`}`;

/** `1 key`, `1,000 keys`: of what may be many. */
export const pluralOfMany = (count: number, one: string): string => plural(count, one, count.toLocaleString("en-US"));
