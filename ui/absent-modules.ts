/**
 * Stands in the bundle for the modules of Node that packages ask for and this process must not have (`build.ts` lists them):
 * what is not linked can't be reached. They are asked at a start for facts that the server says (`FORCE_COLOR`, a window's
 * size), or on ways that this program never takes. A name that is missing here fails the build, or the first call of it.
 */
const absent = (): never => {
  throw new Error("this process has no such power");
};

/** terminal-size: Ink asks it only for a terminal without a size. */
export const execFileSync = absent;
/** Ink: the source around a failure, for developers. */
export const readFileSync = absent;
/** chalk: `FORCE_COLOR` decides. */
export const isatty = (): boolean => false;
/** chalk, ansi-escapes: asked on Windows only. */
export const release = absent;
/** stack-utils: whose frames to leave out of what Ink shows to developers. */
export const builtinModules: readonly string[] = [];
/** signal-exit: checks its own argument. */
export const equal = (): void => undefined;

export default { execFileSync, readFileSync, isatty, release, builtinModules, equal };
