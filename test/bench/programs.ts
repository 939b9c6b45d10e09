import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/** What one run of a client was: from its start to its end. */
export interface Ran {
  readonly ms: number;
  readonly lines: number;
  readonly bytes: number;
}

/**
 * Runs a client to its end and counts what it says without keeping it.
 *
 * @throws Error when it fails: a figure of a failure is worth nothing
 */
export const timed = (program: string, args: readonly string[]): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(program, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    let lines = 0;
    let bytes = 0;
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
    });
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    child.once("error", reject);
    child.once("close", (status) => {
      const ms = performance.now() - startedAt;
      if (status === 0) resolve({ ms, lines, bytes });
      else reject(new Error(`${program} ended with ${status}: ${complaint}`));
    });
  });

/** Fields of proc_pid_stat(5) from the state on, counted from behind the program's name, which may hold blanks. */
const statOf = (pid: string): readonly string[] => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
};

/**
 * Processor time of all clients that have ended, over the processors there are: what is left of a row where many run at once
 * when the server costs nothing. In the kernel's ticks of 10 ms.
 */
export const clientsAloneMs = (): number => {
  const [ofUser, ofSystem] = statOf("self").slice(13, 15); // cutime and cstime
  return ((Number(ofUser) + Number(ofSystem)) * 10) / availableParallelism();
};

/** A session that stays: `ssh -tt` gives the server a terminal, and needs none itself. */
export interface OpenSession {
  readonly promptMs: number;
  /** Types a key, and waits for what the screen says to it: milliseconds to its first byte. */
  press(key: string): Promise<number>;
  close(): Promise<void>;
}

const escapes = /\u001B(?:\[[0-9;?<>=]*[A-Za-z]|\][^\u0007]*\u0007|[()][A-Z0-9]|[=>78])/g;

export const openSession = (args: readonly string[], prompt: RegExp): Promise<OpenSession> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn("ssh", ["-tt", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, TERM: "xterm-256color" },
    });
    let seen = "";
    const closed = new Promise<void>((done) => child.once("close", () => done()));
    const look = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!prompt.test(seen.replaceAll(escapes, ""))) return;
      child.stdout.off("data", look);
      child.stdout.resume();
      resolve({
        promptMs: performance.now() - startedAt,
        press: (key) =>
          new Promise((answered) => {
            const pressedAt = performance.now();
            child.stdout.once("data", () => answered(performance.now() - pressedAt));
            child.stdin.write(key);
          }),
        close: () => {
          child.kill("SIGTERM");
          return closed;
        },
      });
    };
    child.stdout.on("data", look);
    child.stderr.resume();
    child.once("error", reject);
    child.once("close", (status) => reject(new Error(`ssh ended with ${status} before a prompt: ${seen.slice(-300)}`)));
  });

/** A connection that is logged in and runs nothing; the client says so itself. */
export const holdConnection = (args: readonly string[]): Promise<{ close(): Promise<void> }> =>
  new Promise((resolve, reject) => {
    const child = spawn("ssh", ["-N", "-v", ...args, "-o", "LogLevel=DEBUG1"], { stdio: ["ignore", "ignore", "pipe"] });
    const closed = new Promise<void>((done) => child.once("close", () => done()));
    let seen = "";
    child.stderr.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
      if (!seen.includes("Entering interactive session")) return;
      resolve({
        close: () => {
          child.kill("SIGTERM");
          return closed;
        },
      });
    });
    child.once("error", reject);
    child.once("close", (status) => reject(new Error(`ssh -N ended with ${status}: ${seen.slice(-300)}`)));
  });

const descendantsOf = (root: number): number[] => {
  const parents = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      parents.set(Number(entry), Number(statOf(entry)[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const found = [root];
  for (const parent of found) for (const [pid, of] of parents) if (of === parent) found.push(pid);
  return found;
};

const ticksOf = (root: number): number => {
  let ticks = 0;
  for (const pid of descendantsOf(root)) {
    try {
      const [ofUser, ofSystem] = statOf(String(pid)).slice(11, 13);
      ticks += Number(ofUser) + Number(ofSystem);
    } catch {
      // It ended while we looked.
    }
  }
  return ticks;
};

/**
 * Until a server has nothing left to do, as one that started long ago: a spare UI process that was taken is replaced after two
 * seconds.
 */
export const untilIdle = async (pid: number): Promise<void> => {
  await delay(2_500);
  for (let before = -1, now = ticksOf(pid); now !== before;) {
    await delay(600);
    before = now;
    now = ticksOf(pid);
  }
};

/** Proportional set size of a process and everything under it: shared pages count once among those who share them. */
export const pssKib = (root: number): number => {
  let sum = 0;
  for (const pid of descendantsOf(root)) {
    try {
      sum += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    } catch {
      // It ended while we looked.
    }
  }
  return sum;
};
