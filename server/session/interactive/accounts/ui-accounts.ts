import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { EndpointError } from "../../../errors.ts";
import { endAll, isEmpty, type OwnAccounts } from "./in-account.ts";
import { accountsAtWork, processesOf, type RunningProcess } from "./processes.ts";

const firstPauseMs = 20;
const longestPauseMs = 5_000;
/** Rounds after which an account that something still runs in is worth a word to the operator. */
const roundsInSilence = 6;

/**
 * Processes of an account whose parent lives and has another one: a server's UI process, ours or another server's. What was left behind
 * has become a child of process 1.
 */
const hasOwner = (processes: readonly RunningProcess[]): boolean => {
  const own = new Set(processes.map(({ pid }) => pid));
  return processes.some(({ parent }) => parent !== 1 && !own.has(parent));
};

/**
 * Accounts for UI processes, one each. One that was given back is free again when nothing runs in it any more; what does is ended, where the
 * account was ours. That two processes never have the same one does not rest on this: the kernel refuses it (`in-account.ts`).
 */
export class UiAccounts {
  readonly #isolation: OwnAccounts;
  readonly #ids: readonly number[];
  readonly #report: (problem: string) => void;
  readonly #taken = new Set<number>();
  /** Given back, and not known to be empty. */
  readonly #emptying = new Set<number>();
  #next: number;
  #turns: Promise<unknown> = Promise.resolve();
  #closed = false;
  #quiet: PromiseWithResolvers<void> | undefined;

  /** @param report for the operator's log */
  constructor(isolation: OwnAccounts, report: (problem: string) => void) {
    const { ids } = isolation;
    this.#isolation = isolation;
    this.#ids = ids;
    this.#report = report;
    // Not the first: several servers of a machine get in each other's way less, and each account rests as long as it can.
    this.#next = randomInt(ids.length);
  }

  /** Whether `take` may find one. */
  get hasFree(): boolean {
    return this.#taken.size + this.#emptying.size < this.#ids.length;
  }

  /** @throws EndpointError LimitsExceeded when something runs in each of them */
  take(): number {
    const atWork = accountsAtWork();
    for (let tried = 0; tried < this.#ids.length; tried += 1) {
      const id = this.#ids[this.#next];
      this.#next = (this.#next + 1) % this.#ids.length;
      if (id === undefined || this.#taken.has(id) || this.#emptying.has(id) || atWork.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    throw new EndpointError(
      "LimitsExceeded",
      "Every screen that this server can give is in use. Try again later; command lines work: ssh HOST Get-Command",
      { cause: new Error(`userInterface.accounts: all ${this.#ids.length} are in use`) },
    );
  }

  /**
   * The process that had the account has ended, or did not start.
   *
   * @param isOurs it did start: whatever runs there now came from it
   */
  giveBack(id: number, { isOurs }: { readonly isOurs: boolean }): void {
    if (!this.#taken.delete(id)) return;
    void this.#empty(id, isOurs);
  }

  /** What an earlier server left behind in these accounts is ended. At a start, when nothing of ours runs. */
  async endLeftOvers(): Promise<void> {
    const atWork = accountsAtWork();
    const occupied = new Set(this.#ids.filter((id) => atWork.has(id)));
    if (occupied.size === 0) return;
    const found = Map.groupBy(await processesOf(occupied), ({ uid }) => uid);
    for (const [id, processes] of found) {
      if (this.#taken.has(id) || this.#emptying.has(id) || hasOwner(processes)) continue;
      this.#report(`${processes.length} processes that were left behind in account ${id} are ended`);
      void this.#empty(id, true);
    }
  }

  /** Resolves when every account was given back and nothing runs there any more, or after `patienceMs`. */
  async close(patienceMs: number): Promise<void> {
    this.#quiet = Promise.withResolvers();
    const patience = setTimeout(this.#quiet.resolve, patienceMs);
    this.#tellQuiet();
    await this.#quiet.promise;
    clearTimeout(patience);
    this.#closed = true;
  }

  #tellQuiet(): void {
    if (this.#taken.size + this.#emptying.size === 0) this.#quiet?.resolve();
  }

  async #empty(id: number, isOurs: boolean): Promise<void> {
    this.#emptying.add(id);
    let pauseMs = firstPauseMs;
    for (let round = 1; !(await this.#tryToEmpty(id, isOurs)) && !this.#closed; round += 1) {
      if (round === roundsInSilence) {
        this.#report(`something still runs in account ${id}, which stays unused until it ends`);
      }
      await delay(pauseMs, undefined, { ref: false });
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
    this.#emptying.delete(id);
    this.#tellQuiet();
  }

  /** One account at a time: fifty sessions may end at once, and each start of a program takes a millisecond of this thread. */
  #tryToEmpty(id: number, isOurs: boolean): Promise<boolean> {
    const turn = this.#turns.then(async () => {
      if (isOurs) await endAll(this.#isolation, id);
      return isEmpty(this.#isolation, id);
    });
    this.#turns = turn;
    return turn;
  }
}
