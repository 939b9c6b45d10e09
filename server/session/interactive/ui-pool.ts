import { closeSync, openSync } from "node:fs";
import { EndpointError } from "../../errors.ts";
import { findInheritableDescriptors, nullDevice } from "./descriptors.ts";
import { noScreens, type UiIsolation } from "./isolation.ts";
import { UiAccounts } from "./accounts/ui-accounts.ts";
import { openUiProgram, type UiProcessOptions } from "./start-ui-process.ts";
import { UiProcess, type UiScreen } from "./ui-process.ts";
import type { UiProcessEnd, UiScreenListener } from "./ui-screen-queue.ts";

export interface UiPoolOptions {
  /** The UI's program, one file. Where all processes have one account, alone in its folder: they may read that. */
  readonly bundle: string;
  readonly isolation: UiIsolation;
  /** For the operator's log: a UI process ended otherwise than by being closed. Holds no text that it chose. */
  readonly onLost: (end: UiProcessEnd & { readonly connectedUser: string | undefined }) => void;
  /** For the operator's log: something about the accounts of UI processes. */
  readonly report: (problem: string) => void;
  /** This user got no screen, because every account is in use; for the first time since one was free. */
  readonly onUsedUp: (connectedUser: string) => void;
  /** Processes started ahead, so that a first prompt doesn't wait for one. */
  readonly spare?: number;
  readonly screensPerProcess?: number;
  /** How long a process stays for its user after the last screen closed: who comes back needs no new one. */
  readonly lingerMs?: number;
  readonly heartbeatMs?: number;
  readonly silenceMs?: number;
  readonly startMs?: number;
  readonly heapMb?: number;
  readonly residentMb?: number;
}

export interface UiPool {
  /** Ends what an earlier server left behind, and starts the spare processes; otherwise the first screen does. */
  warm(): void;
  /**
   * Opens a screen in a process that serves this user only.
   *
   * @param alone after a crash: in a process of its own, so that one screen can't take the others with it again
   * @throws EndpointError LimitsExceeded when every account is in use; ResourceUnavailable when no screen may or can start
   */
  openScreen(connectedUser: string, listener: UiScreenListener, options: { readonly alone: boolean }): UiScreen;
  /** Ids of the processes that run, for a look from outside. */
  processIds(): readonly number[];
  /** Ends every process; opens no more. Resolves when nothing that they left behind runs, or after two seconds. */
  close(): Promise<void>;
}

interface Serving {
  readonly process: UiProcess;
  readonly connectedUser: string;
  readonly alone: boolean;
}

/**
 * How long a spare process that was taken stays unreplaced. Starting one, with its rehearsal, takes a processor for half a second,
 * just when this user, and whoever logs in at the same time, waits for a first prompt and types the first line.
 */
const refillMs = 2_000;

const closePatienceMs = 2_000;

const poolWithoutScreens: UiPool = {
  warm: () => undefined,
  openScreen: () => {
    throw new EndpointError("ResourceUnavailable", noScreens);
  },
  processIds: () => [],
  close: async () => undefined,
};

type Program = ReturnType<typeof openUiProgram>;

/** What a pool starts its processes with. */
interface Launch {
  readonly program: Program;
  readonly processOptions: UiProcessOptions;
  /** Undefined where all of them have this process's own account. */
  readonly accounts: UiAccounts | undefined;
}

const prepare = (options: UiPoolOptions): Launch | undefined => {
  const { isolation } = options;
  if (isolation.kind === "no-screens") return undefined;
  // Once: what this process opens itself is close-on-exec, so an inheritable descriptor has been here from its start.
  const covered = findInheritableDescriptors();
  const processOptions: UiProcessOptions = {
    heartbeatMs: options.heartbeatMs ?? 2_000,
    silenceMs: options.silenceMs ?? 10_000,
    startMs: options.startMs ?? 20_000,
    heapMb: options.heapMb ?? 96,
    residentMb: options.residentMb ?? 384,
    covered,
    nullDescriptor: covered.length === 0 ? -1 : openSync(nullDevice, "r+"),
  };
  const program = openUiProgram(options.bundle, isolation);
  const accounts = isolation.kind === "own-accounts" ? new UiAccounts(isolation, options.report) : undefined;
  return { program, processOptions, accounts };
};

/** The UI processes of this server: those that serve a user, and those that were started ahead. */
class Processes implements UiPool {
  readonly #options: UiPoolOptions;
  readonly #launch: Launch;
  readonly #spare = new Set<UiProcess>();
  readonly #serving = new Set<Serving>();
  readonly #lingering = new WeakMap<UiProcess, NodeJS.Timeout>();
  #closed = false;
  #refilling: NodeJS.Timeout | undefined;
  #usedUp = false;

  constructor(options: UiPoolOptions, launch: Launch) {
    this.#options = options;
    this.#launch = launch;
  }

  warm(): void {
    const { report } = this.#options;
    this.#refill();
    this.#launch.accounts
      ?.endLeftOvers()
      .catch((error: unknown) => report(`the processes of this machine can't be seen: ${String(error)}`));
  }

  openScreen(connectedUser: string, listener: UiScreenListener, { alone }: { readonly alone: boolean }): UiScreen {
    if (this.#closed) throw new Error("the pool of UI processes is closed");
    const { process } = this.#take(connectedUser, alone);
    return process.openScreen(listener, () => {
      // Never for another user: what it knows of one would be there for the next. The same one may come back at once.
      if (process.screenCount === 0) this.#linger(process);
    });
  }

  processIds(): readonly number[] {
    return this.#all().flatMap(({ pid }) => pid ?? []);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#refilling);
    for (const process of this.#all()) process.kill({ cause: "closed", detail: "server stops" });
    const { accounts, processOptions, program } = this.#launch;
    if (processOptions.covered.length > 0) closeSync(processOptions.nullDescriptor);
    program.close();
    await accounts?.close(closePatienceMs);
  }

  #all(): readonly UiProcess[] {
    return [...this.#spare, ...[...this.#serving].map(({ process }) => process)];
  }

  #take(connectedUser: string, alone: boolean): Serving {
    const shared = alone ? undefined : this.#findShared(connectedUser);
    if (shared !== undefined) return shared;
    const ready = [...this.#spare].find(({ isAlive }) => isAlive);
    if (ready !== undefined) this.#spare.delete(ready);
    const taken: Serving = { process: ready ?? this.#startFor(connectedUser), connectedUser, alone };
    this.#serving.add(taken);
    this.#refilling ??= setTimeout(() => this.#refill(), refillMs).unref();
    return taken;
  }

  #findShared(connectedUser: string): Serving | undefined {
    const { screensPerProcess = 10 } = this.#options;
    return [...this.#serving].find(
      (candidate) =>
        !candidate.alone &&
        candidate.connectedUser === connectedUser &&
        candidate.process.isAlive &&
        !candidate.process.isStalled &&
        candidate.process.screenCount < screensPerProcess,
    );
  }

  #startFor(connectedUser: string): UiProcess {
    try {
      return this.#start();
    } catch (error) {
      if (error instanceof EndpointError && error.category === "LimitsExceeded" && !this.#usedUp) {
        this.#usedUp = true;
        this.#options.onUsedUp(connectedUser);
      }
      throw error;
    }
  }

  #refill(): void {
    this.#refilling = undefined;
    if (this.#closed) return;
    const { onLost, spare = 2 } = this.#options;
    const hasAccount = (): boolean => this.#launch.accounts?.hasFree !== false;
    try {
      // Without a spare process who comes next waits longer; without an account nobody else gets one.
      while (this.#spare.size < spare && hasAccount()) this.#spare.add(this.#start());
    } catch {
      onLost({ cause: "not-started", detail: "could not be spawned", connectedUser: undefined });
    }
  }

  #start(): UiProcess {
    const { accounts, processOptions, program } = this.#launch;
    let account = accounts?.take();
    this.#usedUp = false;
    /** Once: afterwards it may be another process's. */
    const giveBack = (isOurs: boolean): void => {
      if (account !== undefined) accounts?.giveBack(account, { isOurs });
      account = undefined;
    };
    const onEnd = (end: UiProcessEnd): void => {
      giveBack(false);
      this.#forget(started, end);
    };
    const onExit = ({ wasReady }: { readonly wasReady: boolean }): void => giveBack(wasReady);
    let started: UiProcess;
    try {
      started = new UiProcess(processOptions, { program, account }, { onExit, onEnd });
    } catch (error) {
      giveBack(false);
      throw error;
    }
    return started;
  }

  /** A spare one that dies is not replaced before somebody needs it: a broken bundle must not become a loop of starts. */
  #forget(ended: UiProcess, end: UiProcessEnd): void {
    const servedHere = [...this.#serving].find(({ process }) => process === ended);
    this.#spare.delete(ended);
    if (servedHere !== undefined) this.#serving.delete(servedHere);
    if (end.cause !== "closed") this.#options.onLost({ ...end, connectedUser: servedHere?.connectedUser });
  }

  /** From the last time that its user left: an older timer would end it while the user comes and goes. */
  #linger(process: UiProcess): void {
    clearTimeout(this.#lingering.get(process));
    const timer = setTimeout(() => {
      if (process.screenCount === 0) process.kill({ cause: "closed", detail: "last screen closed" });
    }, this.#options.lingerMs ?? 5_000);
    this.#lingering.set(process, timer.unref());
  }
}

/** Starts UI processes, keeps spare ones, and gives each connected user their own: what goes wrong in one is one user's. */
export const createUiPool = (options: UiPoolOptions): UiPool => {
  const launch = prepare(options);
  return launch === undefined ? poolWithoutScreens : new Processes(options, launch);
};
