import type { Machine, Rights } from "./accounts/machine.ts";
import { isWithin, type IdRange, type TakenIds } from "./accounts/taken-ids.ts";

/** What a UI process runs as. */
export type UiIsolation =
  | {
      /** Each process has one of these uids and gids to itself. */
      readonly kind: "own-accounts";
      readonly ids: readonly number[];
      readonly setpriv: string;
      readonly prlimit: string;
      /** The kernel lets us empty the bounding set too; without it the processes can gain nothing either (no_new_privs). */
      readonly emptiesBounding: boolean;
      /** What an administrator may want to know: ids that are left out, a capability that is missing. */
      readonly notes: readonly string[];
    }
  | {
      /** All have one: nobody's where the server is root, else the server's own. The configuration accepts it by name. */
      readonly kind: "shared-account";
      readonly account: "nobody" | "server";
      /** Why they have none of their own. */
      readonly why: string;
    }
  | {
      /** No screen starts. */
      readonly kind: "no-screens";
      /** For the administrator of the machine: it names files and accounts. */
      readonly why: string;
    };

/** Bits of a set (linux/capability.h). */
const needed = { CAP_KILL: 5n, CAP_SETGID: 6n, CAP_SETUID: 7n } as const;
const setpcap = 8n;

const has = (set: bigint, bit: bigint): boolean => ((set >> bit) & 1n) === 1n;

/** Nobody, and what 16-bit programs take for "none". */
const reserved: readonly IdRange[] = [{ first: 65_534, last: 65_535 }];

const freeIds = ({ uid, mapped, taken }: Machine, { first, last }: IdRange): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index).filter(
    (id) => id !== uid && isWithin(id, mapped) && !isWithin(id, taken) && !isWithin(id, reserved),
  );

const whyNotRights = (uid: number | undefined, rights: Rights | undefined): string | undefined => {
  if (rights === undefined) return "this system is not Linux";
  const missing = Object.entries(needed).flatMap(([name, bit]) => (has(rights.effective, bit) ? [] : [name]));
  if (missing.length === 0) return undefined;
  return uid === 0
    ? `its root has no ${missing.join(", ")}`
    : "it does not run as root, or with CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_SETPCAP of a service unit";
};

const whyNoOwnAccounts = (machine: Machine, ids: readonly number[], { first, last }: IdRange): string | undefined => {
  const { uid, rights, setpriv, prlimit, closedFiles, startsAlone } = machine;
  const lacksRights = whyNotRights(uid, rights);
  if (lacksRights !== undefined) return lacksRights;
  if (setpriv === undefined || prlimit === undefined) {
    return "this machine has no setpriv or no prlimit: install util-linux";
  }
  if (closedFiles.length > 0) return `other accounts may not use the program's files: run ${closedFiles.join(" and ")}`;
  if (!startsAlone) return "its kernel starts no process in an account of its own; Linux 5.17 and later do";
  return ids.length > 0
    ? undefined
    : `somebody has each account from ${first} to ${last} (userInterface.accounts), or this machine can't give it`;
};

/** What whoever wants a screen is told. */
export const noScreens =
  "This server starts no screens, because they would share one account. Your administrator can see why with pep doctor, or accept it in " +
  'endpoint.json: "userInterface": { "acceptSharedAccount": true }. Command lines work: ssh HOST Get-Command';

const inWords = ({ first, last, by }: TakenIds): string =>
  `${by} has ${first === last ? first : `${first} to ${last}`}`;

const noteLeftOut = (
  ids: readonly number[],
  { first, last }: IdRange,
  taken: readonly TakenIds[],
): readonly string[] => {
  const leftOut = last - first + 1 - ids.length;
  if (leftOut === 0) return [];
  const who = taken.slice(0, 3).map(inWords).join(", ");
  return [
    `${leftOut} of the accounts from ${first} to ${last} (userInterface.accounts) are left out${who === "" ? "" : `: ${who}`}`,
  ];
};

/**
 * What UI processes run as on this machine, by what the configuration says.
 *
 * `accounts`: those that they may have; `acceptSharedAccount`: one for all of them will do where there can't be one each.
 */
export const judgeIsolation = (
  machine: Machine,
  { accounts: range, acceptSharedAccount }: { readonly accounts: IdRange; readonly acceptSharedAccount: boolean },
): UiIsolation => {
  const ids = machine.rights === undefined ? [] : freeIds(machine, range);
  const why = whyNoOwnAccounts(machine, ids, range);
  const { setpriv, prlimit, rights, taken } = machine;
  if (why === undefined && setpriv !== undefined && prlimit !== undefined && rights !== undefined) {
    const emptiesBounding = has(rights.effective, setpcap);
    const notes = [
      ...noteLeftOut(ids, range, taken),
      ...(emptiesBounding || rights.bounding === 0n
        ? []
        : [
            "without CAP_SETPCAP screens keep their bounding set: they can't use it, but add CAP_SETPCAP to the service unit",
          ]),
    ];
    return { kind: "own-accounts", ids, setpriv, prlimit, emptiesBounding, notes };
  }
  const reason = why ?? "unknown";
  if (acceptSharedAccount) {
    return { kind: "shared-account", account: machine.uid === 0 ? "nobody" : "server", why: reason };
  }
  return { kind: "no-screens", why: reason };
};

const inServersWords = {
  nobody: "the account nobody",
  server: "the server's own account",
} as const;

/** For the operator; nothing where each process has an account of its own, and nothing is worth a note. */
export const isolationInWords = (isolation: UiIsolation): readonly string[] => {
  switch (isolation.kind) {
    case "own-accounts":
      return isolation.notes;
    case "shared-account":
      return [`all screens have ${inServersWords[isolation.account]}: ${isolation.why}`];
    case "no-screens":
      return [
        `this server starts no screens: ${isolation.why}. Fix that, or accept in endpoint.json that all screens share one account: ` +
          `"userInterface": { "acceptSharedAccount": true }`,
      ];
  }
};
