/** Waits, but not for ever. @returns undefined where nothing came in time */
export const orLate = async <T>(promise: Promise<T>, withinMs: number): Promise<T | undefined> => {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), withinMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
};
