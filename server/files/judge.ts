import type { Stats } from "node:fs";

/** What must hold of a file before its content counts. Nobody but its owner may ever write it. */
export interface FileRule {
  /** For messages: `The ${what} /srv/pep/host-key can't be used: …`. */
  readonly what: string;
  /** `owner`: of a file of root's with trusted links its group too, which is how a service's account is let in. */
  readonly mayRead: "owner" | "group" | "everyone";
  /**
   * `refused`: the file itself stands under its name, and has no other name (hard link).
   * `trusted`: links are followed while nobody else can have made or moved one. Certificate tools and mounted secrets need it.
   */
  readonly links: "refused" | "trusted";
  /** In bytes. */
  readonly largest: number;
  /** What to do when it is missing. */
  readonly missing?: string;
}

const kibibyte = 1024;

/** A key or password that `pep` made, or that is for `pep` alone. */
export const ownSecret = (what: string, missing?: string): FileRule => ({
  what,
  mayRead: "owner",
  links: "refused",
  largest: 64 * kibibyte,
  ...(missing === undefined ? {} : { missing }),
});

/** A file that is no secret, and that nobody may exchange by a link: whoever may make links could give it the content of any other. */
export const ownFile = (what: string, largest: number): FileRule => ({
  what,
  mayRead: "everyone",
  links: "refused",
  largest,
});

/** A key or password that other tools put there and exchange: a mounted secret is a link, and its group the pod's. */
export const mountedSecret = (what: string, mayRead: "owner" | "group"): FileRule => ({
  what,
  mayRead,
  links: "trusted",
  largest: 64 * kibibyte,
});

/** A file that is no secret: certificates, lists of keys, roles, the configuration. */
export const openFile = (what: string, largest = 1024 * kibibyte, missing?: string): FileRule => ({
  what,
  mayRead: "everyone",
  links: "trusted",
  largest,
  ...(missing === undefined ? {} : { missing }),
});

/** Windows has no owner and no mode bits: there the access lists are the administrator's part. */
export const hasOwners = process.platform !== "win32";

/** A path as a shell takes it. */
const quoted = (path: string): string =>
  /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;

/** Puts a file that has one name in the place of a link, or of one of several names. */
const copyInPlace = (path: string): string =>
  `cp -pL ${quoted(path)} ${quoted(`${path}.new`)} && mv ${quoted(`${path}.new`)} ${quoted(path)}`;

const own = (): number => process.geteuid?.() ?? 0;

const whyOwner = (path: string, { uid }: Stats, isLink = false): string | undefined => {
  if (!hasOwners || uid === 0 || uid === own()) return undefined;
  return `it belongs to user id ${uid}, not to this account or root; run: chown ${isLink ? "-h " : ""}${own()} ${quoted(path)}`;
};

/** Another account may make names in it: its owner, or one that may write it. */
const isOthers = (stats: Stats): boolean => whyOwner("", stats) !== undefined || isShared(stats);

const isShared = ({ mode }: Stats): boolean => hasOwners && (mode & 0o022) !== 0;

/** Others may make names in it, but neither move nor remove those of root and of ours: what /tmp is. */
const isSticky = (stats: Stats): boolean => isShared(stats) && (stats.mode & 0o1000) !== 0;

const whyWritable = (path: string, stats: Stats): string | undefined =>
  isShared(stats) ? `group or others may write it; run: chmod go-w ${quoted(path)}` : undefined;

const whyNames = (path: string, { nlink }: Stats): string | undefined =>
  nlink > 1 ? `it has ${nlink} names (hard links), so others may reach it; run: ${copyInPlace(path)}` : undefined;

/** systemd makes credentials so where access lists (ACL) work: the bits of the group are the list's mask, and the group is root's. */
const isCredential = ({ mode, uid, gid }: Stats): boolean => (mode & 0o777) === 0o440 && uid === 0 && gid === 0;

/** Kubernetes mounts root's files for a pod's group (`fsGroup`), and PostgreSQL takes such a key too: nobody else can read root's. */
const isMounted = ({ uid }: Stats, { links }: FileRule): boolean => links === "trusted" && uid === 0 && own() !== 0;

const whyReadable = (path: string, stats: Stats, rule: FileRule): string | undefined => {
  if (!hasOwners || rule.mayRead === "everyone") return undefined;
  const mayGroup = rule.mayRead === "group" || isMounted(stats, rule);
  if ((stats.mode & (mayGroup ? 0o007 : 0o077)) === 0 || isCredential(stats)) return undefined;
  const file = quoted(path);
  // Of root's, mode 600 alone would take it from us too.
  const chown = stats.uid === own() ? "" : `chown ${own()} ${file} && `;
  const change = mayGroup ? `chmod o= ${file}` : `${chown}chmod 600 ${file}`;
  return `others may read it; run: ${change}, and consider what it holds known`;
};

const kindOf = (stats: Stats): string => {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return stats.isSymbolicLink() ? "a symbolic link" : "a device";
};

/** Why this is no file that could be opened without harm: a pipe waits for its other end, a device may act when it is opened. */
export const whyNoFile = (stats: Stats): string | undefined =>
  stats.isFile() ? undefined : `it is ${kindOf(stats)}, not a regular file`;

/** Why an opened file can't be trusted, in words that name the command that mends it; undefined: it can. */
export const whyUntrusted = (
  path: string,
  stats: Stats,
  rule: FileRule,
  holder: Stats | undefined,
): string | undefined => {
  const oneName = rule.links === "refused" || (holder !== undefined && isOthers(holder));
  return (
    whyNoFile(stats) ??
    whyOwner(path, stats) ??
    whyReadable(path, stats, rule) ??
    whyWritable(path, stats) ??
    (oneName ? whyNames(path, stats) : undefined) ??
    (stats.size > rule.largest ? `it is larger than ${rule.largest} bytes` : undefined)
  );
};

export interface FoundLink {
  readonly path: string;
  /** Of the link itself. */
  readonly stats: Stats;
  /** Of the folder that it is in. */
  readonly holder: Stats | undefined;
  /** Nothing of the way comes behind it. */
  readonly isLast: boolean;
}

/**
 * Why a link is not followed. Whoever may write a folder may put any link into it, but none that is root's or ours. There a link
 * of ours can get a second name, so it must have one only.
 */
export const whyLinkUntrusted = ({ path, stats, holder, isLast }: FoundLink, rule: FileRule): string | undefined => {
  if (isLast && rule.links === "refused") return `it is a symbolic link; run: ${copyInPlace(path)}`;
  const why =
    whyOwner(path, stats, true) ?? (holder !== undefined && isOthers(holder) ? whyNames(path, stats) : undefined);
  return why === undefined ? undefined : `the symbolic link ${path} on the way to it is not followed: ${why}`;
};

/** Why a folder can't be trusted: somebody else may exchange what is in it. */
export const whyFolderUntrusted = (path: string, stats: Stats): string | undefined =>
  whyOwner(path, stats) ?? (isSticky(stats) ? undefined : whyWritable(path, stats));

/** As `whyFolderUntrusted`, for a folder whose every entry counts: nobody else may add one either. */
export const whyFolderOpen = (path: string, stats: Stats): string | undefined =>
  whyOwner(path, stats) ?? whyWritable(path, stats);
