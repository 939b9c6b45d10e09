/*
 * ATTACK  Code inside the UI process looks for a way out that the permission model doesn't close: `node:sqlite` and V8's flags write
 *         files, `vm` runs texts, `SSL_CERT_FILE` reads files, `process.kill` and `os.setPriority` reach other processes; or a door that
 *         a newer Node has and nobody has looked at.
 * DANGER  A planted line in authorized-keys, another user's session, the server stopped.
 * EXPECT  No module can be had by any route. Every name and every function of the runtime that is left has been judged.
 */
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { devNull } from "node:os";
import { createContext, runInContext } from "node:vm";
import { execFileSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { bundleUi } from "../../build.ts";
import { UiAccounts } from "../../server/session/interactive/accounts/ui-accounts.ts";
import { openUiProgram, startUiProcess, uiFlags } from "../../server/session/interactive/start-ui-process.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { isolation, processOptions } from "../harness/ui-isolation.ts";
import { judgedFunctions, judgedNames, judgedOptions } from "./judged-powers.ts";

interface Found {
  readonly modules: Readonly<Record<string, readonly string[]>>;
  readonly names: Readonly<Record<keyof typeof judgedNames, readonly string[]>>;
  readonly functions: readonly string[];
  readonly environment: readonly string[];
}

/** Names that V8 itself gives to every context, without Node. */
const languageNames = (runInContext("Object.getOwnPropertyNames(globalThis)", createContext()) as string[]).filter(
  (name) => name !== "globalThis" && name !== "console",
);

/** Every module of this Node, with and without `node:`. */
const moduleNames = [
  ...new Set(builtinModules.flatMap((name) => (name.startsWith("node:") ? [name] : [name, `node:${name}`]))),
];

const startWith = (bundle: string) => {
  const nullDescriptor = openSync(devNull, "r+");
  onTestFinished(() => closeSync(nullDescriptor));
  if (isolation.kind === "no-screens") throw new Error(isolation.why);
  const program = openUiProgram(bundle, isolation);
  onTestFinished(() => program.close());
  const account = isolation.kind === "own-accounts" ? new UiAccounts(isolation, () => undefined).take() : undefined;
  const child = startUiProcess({ ...processOptions, nullDescriptor }, program, account);
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
};

const lookAround = async (): Promise<Found> => {
  const folder = temporaryDirectory();
  const bundle = await bundleUi(folder, "test/session/interactive/fixtures/judge-powers.mts");
  const given = Object.entries({ moduleNames, languageNames }).map(([name, list]) => `${name}=${JSON.stringify(list)}`);
  writeFileSync(bundle, `var ${given.join(",")};${readFileSync(bundle, "utf8")}`);
  const child = startWith(bundle);
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString()));
  await once(child, "close");
  const found = said.split("\n").find((line) => line.startsWith("{"));
  if (found === undefined) throw new Error(said);
  return JSON.parse(found) as Found; // as the fixture wrote it
};

test("code in the UI process can have no module, and nothing that nobody has judged", async () => {
  const found = await lookAround();
  expect(moduleNames).toContain("node:sqlite");
  expect(found.modules).toEqual({});
  for (const holder of ["globalThis", "process", "url", "util"] as const) {
    const judged: readonly string[] = judgedNames[holder];
    const isOfLanguage = (name: string): boolean =>
      holder === "globalThis" && [...languageNames, holder].includes(name);
    expect(found.names[holder].filter((name) => !judged.includes(name) && !isOfLanguage(name))).toEqual([]);
  }
  const isJudged = (name: string): boolean => judgedFunctions.some((judged) => judged.test(name));
  expect(found.functions.filter((name) => !isJudged(name))).toEqual([]);
  expect(found.environment.toSorted()).toEqual(["FORCE_COLOR", "LANG", "NODE_ENV", "PATH", "TERM"]);
});

test("every option that this Node has on by itself, and every permission, has been judged", () => {
  const help = execFileSync(process.execPath, ["--help"], { encoding: "utf8" });
  const options = [...help.matchAll(/--(?:no|allow)-[a-z0-9-]+/g)].map(([option]) => option);
  expect(options).toContain("--no-experimental-sqlite");
  expect([...new Set(options)].filter((option) => !(option in judgedOptions))).toEqual([]);
  const given = uiFlags("/bundle");
  const off = Object.keys(judgedOptions).filter((option) => judgedOptions[option] === "off");
  expect(off.filter((option) => !given.includes(option))).toEqual([]);
  expect(given.filter((option) => option.startsWith("--allow-"))).toEqual(["--allow-fs-read=/bundle"]);
});

test.runIf(existsSync("/proc/self/limits"))("the kernel lets a UI process write no file and no dump", async () => {
  const folder = temporaryDirectory();
  const child = startWith(await bundleUi(folder));
  if (child.stdout === null) throw new Error("no pipe");
  await once(child.stdout, "data"); // it is ready
  const limits = readFileSync(`/proc/${String(child.pid)}/limits`, "utf8");
  expect(limits).toMatch(/^Max file size +0 +0 /m);
  expect(limits).toMatch(/^Max core file size +[01] +[01] /m);
  expect(limits).toMatch(/^Max open files +64 +64 /m);
});
