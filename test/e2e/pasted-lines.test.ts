import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readCmdLine } from "../harness/cmd-exe.ts";
import { launch, root, run, type Endpoint, type Finished } from "../harness/endpoint.ts";
import { findAll, pwsh } from "../import/real-tools/tools.ts";

/* The lines that README and the pages for scripts and reviewers tell people to paste, in each shell that they have. */

interface PastedLine {
  readonly line: string;
  /** As the comment above it says. */
  readonly status: number;
}

const linesOf = (document: string): readonly PastedLine[] => {
  const blocks = readFileSync(join(root, document), "utf8").matchAll(/^```sh\n([^]*?)^```/gm);
  return [...blocks].flatMap(([, block = ""]) =>
    block.split("\n").flatMap((line, index, all) => {
      const [, status = "0"] = /^# exit status (\d+)/.exec(all[index - 1] ?? "") ?? [];
      return line.startsWith("ssh ") ? [{ line, status: Number(status) }] : [];
    }),
  );
};

const readme = linesOf("README.md");
const pasted = [...readme, ...linesOf("docs/use/scripts.md")];
/** A demo has no session of the name that stands for one. */
const forReviewers = linesOf("docs/use/review.md").filter(({ line }) => !line.includes("S-0123456789abcdef"));

/** Runs a line in a folder where `ssh` is the one below. */
type Shell = (line: string, directory: string) => Promise<Finished>;

const environment = (directory: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${join(directory, "bin")}:${process.env["PATH"] ?? ""}`,
});

const sh: Shell = (line, directory) => run("sh", ["-c", line], { cwd: directory, env: environment(directory) });

/** It has no `<`, as the page says. */
const powerShell =
  (program: string): Shell =>
  (line, directory) => {
    const written = line.replace(/^(.*) < (\S+)(.*)$/, "Get-Content $2 | $1$3");
    const command = `${written}; exit $LASTEXITCODE`;
    return run(program, ["-NoProfile", "-NonInteractive", "-Command", command], {
      cwd: directory,
      env: environment(directory),
    });
  };

const cmdExe: Shell = async (line, directory) => {
  const { words, from, to } = readCmdLine(line);
  const [program = "", ...args] = words;
  const input = from === undefined ? "" : readFileSync(join(directory, from));
  const ended = await run(join(directory, "bin", program), args, { cwd: directory, input });
  if (to !== undefined) writeFileSync(join(directory, to), ended.stdoutBytes);
  return ended;
};

const shells: readonly (readonly [string, Shell | undefined])[] = [
  ["sh", sh],
  ["cmd.exe", cmdExe],
  ["PowerShell 7", pwsh === undefined ? undefined : powerShell(pwsh)],
];

/** `ssh`, with the demo's configuration where a line has none. What goes on until Ctrl-C is ended when it has shown something. */
const client = (program: string): string => `#!/bin/sh
[ "$1" = -F ] || set -- -F .pep/demo/ssh_config "$@"
set -- -o BatchMode=yes -o LogLevel=ERROR "$@"
case $* in *-Follow*) ;; *) exec ${program} "$@" ;; esac
${program} "$@" > followed &
until test -s followed; do
  kill -0 $! && ${program} -F .pep/demo/ssh_config guest@pep Get-Command < /dev/null > /dev/null || exit 1
done
kill $!
`;

const script = "Get-RecoveryKeys DEMO-PC-01 -Format csv\nGet-Command | Measure-Object\n";

const startDemo = async (): Promise<{ readonly directory: string; readonly endpoint: Endpoint }> => {
  const directory = mkdtempSync(join(tmpdir(), "pep-"));
  const endpoint = await launch({ dataDirectory: join(directory, ".pep") });
  onTestFinished(async () => {
    await endpoint.end();
    rmSync(directory, { recursive: true, force: true });
  });
  const [ssh = "ssh"] = findAll("ssh") ?? [];
  await run("mkdir", [join(directory, "bin")]);
  writeFileSync(join(directory, "bin", "ssh"), client(ssh));
  chmodSync(join(directory, "bin", "ssh"), 0o755);
  writeFileSync(join(directory, "lines.txt"), script);
  writeFileSync(join(directory, "password-file"), "Geheimnis-17-lang-genug!\n");
  return { directory, endpoint };
};

/** Each line and its status. A request that a line made is the one that the lines below it name. */
const runAll = async (shell: Shell, lines: readonly PastedLine[], directory: string): Promise<readonly unknown[]> => {
  let request = "";
  const ended: unknown[] = [];
  for (const { line } of lines) {
    const { status, stderr } = await shell(line.replace("E-0123456789", request), directory);
    request = /\bE-[0-9A-Z]{10}\b/i.exec(stderr)?.[0] ?? request;
    ended.push([line, status, ...(status === 0 || status === 8 ? [] : [stderr])]);
  }
  return ended;
};

const expected = (lines: readonly PastedLine[]): readonly unknown[] => lines.map(({ line, status }) => [line, status]);

test("there are lines to paste", () => {
  expect(readme.length).toBeGreaterThan(3);
  expect(pasted.length).toBeGreaterThan(readme.length + 5);
  expect(forReviewers.length).toBeGreaterThan(3);
});

describe.each(shells)("in %s", (_, shell) => {
  test.skipIf(shell === undefined)("each line ends with the status that is told", async () => {
    if (shell === undefined) return;
    const { directory } = await startDemo();
    expect(await runAll(shell, pasted, directory)).toEqual(expected(pasted));
    expect(readFileSync(join(directory, "keys.csv"), "utf8")).toMatch(/(?:\d{6}-){7}\d{6}/);
    expect(readFileSync(join(directory, "answers.csv"), "utf8")).toMatch(/(?:\d{6}-){7}\d{6}/);
  });
});

// PowerShell takes seconds for each: what it makes of a line is looked at by test/documents.test.ts.
test.each([
  ["sh", sh],
  ["cmd.exe", cmdExe],
])("the lines for reviewers end well in %s", async (_, shell) => {
  const { directory } = await startDemo();
  expect(await runAll(shell, forReviewers, directory)).toEqual(expected(forReviewers));
});

test("cmd.exe leaves single quotes around a line, which is understood", async () => {
  const { directory } = await startDemo();
  const lines = pasted
    .filter(({ line }) => !line.includes("'") && !line.includes("E-0"))
    .map(({ line, status }) => ({ line: line.replaceAll('"', "'"), status }));
  expect(lines.filter(({ line }) => line.includes("'")).length).toBeGreaterThan(4);
  expect(await runAll(cmdExe, lines, directory)).toEqual(expected(lines));
});

const putty = findAll("plink", "puttygen");

test.skipIf(putty === undefined)(
  "plink sends one command of a file with -m, and a script on standard input",
  async () => {
    const [plink = "", puttygen = ""] = putty ?? [];
    const { directory, endpoint } = await startDemo();
    const key = join(directory, "support.ppk");
    const made = await run(puttygen, [
      join(endpoint.dataDirectory, "demo", "keys", "support"),
      "-O",
      "private",
      "-o",
      key,
    ]);
    expect(made.status, made.stderr).toBe(0);
    const plinkWith = (args: readonly string[], input: string): Promise<Finished> =>
      run(
        plink,
        ["-ssh", "-batch", "-T", "-i", key, "-hostkey", endpoint.fingerprint, "-P", String(endpoint.port), ...args],
        { input },
      );
    const target = `support@${endpoint.host}`;
    const one = join(directory, "one.txt");
    writeFileSync(one, "\ufeffGet-RecoveryKeys -ComputerName DEMO-PC-01 -Format csv\r\n");
    const sent = await plinkWith(["-m", one, target], "");
    expect(sent, sent.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(/(?:\d{6}-){7}\d{6}/) });
    const whole = await plinkWith([target], script);
    expect(whole, whole.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(/(?:\d{6}-){7}\d{6}/) });
    expect((await plinkWith(["-m", join(directory, "lines.txt"), target], "")).status).toBe(126);
    expect((await plinkWith([target], "Get-Command\nnonsense\n")).status).toBe(127);
  },
);
