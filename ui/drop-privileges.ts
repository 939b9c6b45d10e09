/**
 * Gives up root before anything else of this program runs, where UI processes have no account of their own and the server is root: the entry
 * imports this module first, and no input has been read.
 *
 * Nothing is loaded from disk afterwards: the bundle is one file, Node's own modules are in its binary.
 */
import process from "node:process";

const readId = (name: "uid" | "gid"): number | undefined => {
  const given = process.argv.slice(2).filter((argument) => argument.startsWith(`--${name}=`));
  const [first] = given;
  if (first === undefined) return undefined;
  const text = first.slice(`--${name}=`.length);
  if (given.length > 1 || !/^[1-9]\d{0,9}$/.test(text))
    throw new RangeError(`--${name} must be a number above 0, once`);
  return Number(text);
};

const drop = (uid: number, gid: number): void => {
  const { setgroups, setgid, setuid, getuid, geteuid, getgid, getegid, getgroups } = process;
  if (!setgroups || !setgid || !setuid || !getuid || !geteuid || !getgid || !getegid || !getgroups)
    throw new Error("this platform can't change the user");
  // In this order: without root neither of the first two is allowed any more.
  setgroups([]);
  setgid(gid);
  setuid(uid);
  const same = getuid() === uid && geteuid() === uid && getgid() === gid && getegid() === gid;
  // getgroups(2) may include the effective group.
  if (!same || getgroups().some((group) => group !== gid)) throw new Error("the user did not change");
  // A process that was not root but held CAP_SETUID keeps it through setuid(2): capabilities(7).
  let regained = true;
  try {
    setuid(0);
  } catch {
    regained = false;
  }
  if (regained) throw new Error("root can be had again");
};

try {
  const uid = readId("uid");
  const gid = readId("gid");
  if (uid !== undefined && gid !== undefined) drop(uid, gid);
  else if (uid !== undefined || gid !== undefined) throw new RangeError("--uid and --gid go together");
} catch (error) {
  process.stderr.write(`ui: privileges not dropped: ${error instanceof Error ? error.message : "unknown error"}\n`);
  // At once: no other module has run, so there is no handler to wait for.
  process.exit(77);
}
