import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readCmdLine } from "../harness/cmd-exe.ts";
import { launch, makeDemo, pep, root, run, type Endpoint, type Finished } from "../harness/endpoint.ts";
import { findAll, pwsh } from "../import/real-tools/tools.ts";

/* Each line for `ssh` that README and the documents tell people to paste, in each shell that they have, on one demo. */

interface PastedLine {
  readonly line: string;
  /** As the comment above it says. */
  readonly status: number;
}

const linesOf = (document: string): readonly PastedLine[] => {
  const blocks = readFileSync(join(root, document), "utf8").matchAll(/^ *```sh\n([^]*?)^ *```/gm);
  return [...blocks].flatMap(([, block = ""]) =>
    block.split("\n").flatMap((raw, index, all) => {
      const line = raw.trim();
      const [, status = "0"] = /^ *# exit status (\d+)/.exec(all[index - 1] ?? "") ?? [];
      return line.startsWith("ssh ") ? [{ line, status: Number(status) }] : [];
    }),
  );
};

const documents = ["README.md", ...globSync("docs/**/*.md", { cwd: root }).toSorted()];
const pasted = documents.flatMap(linesOf);

const outputOf = (line: string): string | undefined => readCmdLine(line).to;

/** Runs lines in a folder where `ssh` is the one below, and gives the status of each. */
type Shell = (lines: readonly string[], directory: string) => Promise<readonly number[]>;

const environment = (directory: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${join(directory, "bin")}:${process.env["PATH"] ?? ""}`,
});

const statusesIn = async (
  [program, ...args]: readonly [string, ...string[]],
  {
    script,
    lines,
    directory,
  }: { readonly script: string; readonly lines: readonly string[]; readonly directory: string },
): Promise<readonly number[]> => {
  writeFileSync(join(directory, script), lines.map((line) => `${line}\n`).join(""));
  const ended = await run(program, [...args, script], { cwd: directory, env: environment(directory) });
  const statuses = readFileSync(join(directory, "statuses"), "utf8").trim().split(/\r?\n/);
  expect(ended, ended.stderr).toMatchObject({ status: 0 });
  return statuses.map(Number);
};

const sh: Shell = (lines, directory) =>
  statusesIn(["sh"], {
    script: "lines.sh",
    lines: lines.flatMap((line) => [line, "echo $? >> statuses"]),
    directory,
  });

/** It has no `<`, as the page says. */
const powerShell =
  (program: string): Shell =>
  (lines, directory) =>
    statusesIn([program, "-NoProfile", "-NonInteractive", "-File"], {
      script: "lines.ps1",
      lines: lines.flatMap((line) => [
        line.replace(/^(.*) < (\S+)(.*)$/, "Get-Content $2 | $1$3"),
        "Add-Content statuses $LASTEXITCODE",
      ]),
      directory,
    });

const cmdExe: Shell = async (lines, directory) => {
  const statuses: number[] = [];
  for (const line of lines) {
    const { words, from, to } = readCmdLine(line);
    const [program = "", ...args] = words;
    const input = from === undefined ? "" : readFileSync(join(directory, from));
    const ended = await run(join(directory, "bin", program), args, { cwd: directory, input });
    if (to !== undefined) writeFileSync(join(directory, to), ended.stdoutBytes);
    statuses.push(ended.status ?? -1);
  }
  return statuses;
};

const shells: readonly (readonly [string, Shell | undefined])[] = [
  ["sh", sh],
  ["cmd.exe", cmdExe],
  ["PowerShell 7", pwsh === undefined ? undefined : powerShell(pwsh)],
];

/**
 * `ssh`, with the demo's configuration where a line has none. It writes down the words that a shell gave it, and puts in the request
 * that was told last, and the session. What goes on until Ctrl-C is ended when it has shown something.
 */
const client = (program: string, port: number): string => `#!/bin/sh
printf '%s\\n' "$@" "" >> words
[ "$1" = -F ] || [ "$1" = -p ] || set -- -F .pep/demo/ssh_config "$@"
ids="s/E-0123456789/$(cat request)/; s/S-0123456789abcdef/$(cat session)/"
for word; do
  shift
  set -- "$@" "$(printf %s "$word" | sed "$ids")"
done
set -- -o BatchMode=yes -o LogLevel=ERROR -o Port=${port} -o UserKnownHostsFile=.pep/demo/known_hosts "$@"
case $* in
*-Follow*) ;;
*)
  ${program} "$@" 2> told
  status=$?
  id=$(grep -oE 'E-[0-9A-Z]{10}' told | head -n 1)
  [ -z "$id" ] || echo "$id" > request
  cat told >&2
  exit $status
  ;;
esac
${program} "$@" > followed &
until test -s followed; do
  kill -0 $! && ${program} -F .pep/demo/ssh_config guest@pep Get-Command < /dev/null > /dev/null || exit 1
done
kill $!
`;

const script = "Get-RecoveryKeys DEMO-PC-01 -Format csv\nGet-Command | Measure-Object\n";
const key = "000011-000022-000033-000044-000055-000066-000077-000088";
const anyKey = /(?:\d{6}-){7}\d{6}/;

let directory = "";
let endpoint: Endpoint;

const succeeded = async (running: Promise<Finished>): Promise<string> => {
  const { status, stdout, stderr } = await running;
  expect(status, stdout + stderr).toBe(0);
  return stdout;
};

/** What the lines name beside the demo's own: alice and a computer of the page on installing, a session, files to read. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "pep-"));
  const dataDirectory = join(directory, ".pep");
  await makeDemo(dataDirectory);
  const alice = join(directory, "alice");
  await succeeded(run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", alice]));
  const toDemo = ["--data-dir", dataDirectory];
  await succeeded(pep(["users", "add", "alice", "--key", `${alice}.pub`, "--role", "operator", ...toDemo]));
  endpoint = await launch({ dataDirectory });
  const keys = join(directory, "keys-of-others.csv");
  writeFileSync(keys, `ComputerName,RecoveryKeyId,RecoveryKey\nPC-0001,6B8E7C0B-3A15-4E4C-9D55-0A7E1C2B3D4F,${key}\n`);
  await succeeded(pep(["import", keys, ...toDemo]));
  // A screen's session, as only these have a transcript.
  await succeeded(run("ssh", endpoint.sshArguments("support", ["-tt"]), { input: "exit\r" }));
  const started = endpoint.events().find(({ type }) => type === "session-started");
  writeFileSync(join(directory, "session"), (started && "sessionId" in started ? started.sessionId : undefined) ?? "");
  const [ssh = "ssh"] = findAll("ssh") ?? [];
  await run("mkdir", [join(directory, "bin")]);
  writeFileSync(join(directory, "bin", "ssh"), client(ssh, endpoint.port));
  chmodSync(join(directory, "bin", "ssh"), 0o755);
  writeFileSync(join(directory, "lines.txt"), script);
  writeFileSync(join(directory, "password-file"), "Geheimnis-17-lang-genug!\n");
});

afterAll(async () => {
  await endpoint.end();
  rmSync(directory, { recursive: true, force: true });
});

/** What the lines of another shell made. */
beforeEach(() => {
  const made = [...pasted.map(({ line }) => outputOf(line) ?? ""), "words", "statuses"];
  for (const name of made) if (name !== "") rmSync(join(directory, name), { recursive: true, force: true });
  for (const name of globSync("monday*", { cwd: join(directory, ".pep.backup") }))
    rmSync(join(directory, ".pep.backup", name), { recursive: true });
  writeFileSync(join(directory, "request"), "");
});

const expectStatuses = async (shell: Shell, lines: readonly PastedLine[]): Promise<void> => {
  const statuses = await shell(
    lines.map(({ line }) => line),
    directory,
  );
  expect(lines.map(({ line }, index) => ({ line, status: statuses[index] }))).toEqual(lines);
};

test("there are lines to paste in README and on the pages", () => {
  const by = Object.fromEntries(documents.map((document) => [document, linesOf(document).length]));
  expect(by["README.md"]).toBeGreaterThan(3);
  expect(by["docs/use/scripts.md"]).toBeGreaterThan(5);
  expect(by["docs/use/review.md"]).toBeGreaterThan(4);
  expect(by["docs/operate/install.md"]).toBeGreaterThan(0);
});

describe.each(shells)("in %s", (_, shell) => {
  test.skipIf(shell === undefined)("each line gives ssh its words, and ends with the status that is told", async () => {
    if (shell === undefined) return;
    await expectStatuses(shell, pasted);
    const words = pasted.map(({ line }) => readCmdLine(line).words.slice(1).join("\n"));
    expect(readFileSync(join(directory, "words"), "utf8").split("\n\n").slice(0, -1)).toEqual(words);
    for (const name of ["keys.csv", "answers.csv", "keys.json"])
      expect(readFileSync(join(directory, name), "utf8")).toMatch(anyKey);
    const empty = pasted
      .flatMap(({ line }) => outputOf(line) ?? [])
      .filter((name) => statSync(join(directory, name)).size === 0);
    expect(empty).toEqual([]);
  });
});

test("cmd.exe leaves single quotes around a line, which is understood", async () => {
  const lines = pasted
    .filter(({ line }) => !line.includes("'") && !line.includes("E-0"))
    .map(({ line, status }) => ({ line: line.replaceAll('"', "'"), status }))
    .filter(({ line }) => line.includes("'"));
  expect(lines.length).toBeGreaterThan(4);
  await expectStatuses(cmdExe, lines);
});

const putty = findAll("plink", "puttygen");

test.skipIf(putty === undefined)(
  "plink sends one command of a file with -m, and a script on standard input",
  async () => {
    const [plink = "", puttygen = ""] = putty ?? [];
    const ppk = join(directory, "support.ppk");
    const made = await run(puttygen, [
      join(endpoint.dataDirectory, "demo", "keys", "support"),
      "-O",
      "private",
      "-o",
      ppk,
    ]);
    expect(made.status, made.stderr).toBe(0);
    const plinkWith = (args: readonly string[], input: string): Promise<Finished> =>
      run(
        plink,
        ["-ssh", "-batch", "-T", "-i", ppk, "-hostkey", endpoint.fingerprint, "-P", String(endpoint.port), ...args],
        { input },
      );
    const target = `support@${endpoint.host}`;
    const one = join(directory, "one.txt");
    writeFileSync(one, "\ufeffGet-RecoveryKeys -ComputerName DEMO-PC-01 -Format csv\r\n");
    const sent = await plinkWith(["-m", one, target], "");
    expect(sent, sent.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(anyKey) });
    const whole = await plinkWith([target], script);
    expect(whole, whole.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(anyKey) });
    expect((await plinkWith(["-m", join(directory, "lines.txt"), target], "")).status).toBe(126);
    expect((await plinkWith([target], "Get-Command\nnonsense\n")).status).toBe(127);
  },
);
