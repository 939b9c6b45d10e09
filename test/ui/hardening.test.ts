import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeFrame, frameKind } from "../../ui/protocol.ts";
import { keyColumns, keyRow, openAt } from "./fixtures.ts";
import { buildBundle, hardening, UiProcess } from "./ui-process.ts";

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === "linux";

let built: Awaited<ReturnType<typeof buildBundle>>;
beforeAll(async () => {
  built = await buildBundle();
});
afterAll(() => built.remove());

/** Every way out of the process, and what it says to each. */
const probe = `
const attempts = {
  readFile: async () => (await import("node:fs/promises")).readFile("/etc/passwd"),
  readProc: async () => (await import("node:fs/promises")).readFile("/proc/self/environ"),
  listFolder: async () => (await import("node:fs/promises")).readdir("/"),
  writeFile: async () => (await import("node:fs/promises")).writeFile(process.argv[2] + "/written", "x"),
  tcp: async () => connect({ host: "127.0.0.1", port: Number(process.argv[3]) }),
  unixSocket: async () => connect({ path: process.argv[2] + "/socket" }),
  udp: async () => { const { createSocket } = await import("node:dgram"); const socket = createSocket("udp4"); await new Promise((done, failed) => { socket.once("error", failed); socket.send("x", 9, "127.0.0.1", (error) => (error ? failed(error) : done())); }); },
  listen: async () => { const { createServer } = await import("node:net"); await new Promise((done, failed) => { process.once("uncaughtException", failed); createServer().once("error", failed).listen(0, "127.0.0.1", done); }); },
  lookup: async () => (await import("node:dns/promises")).lookup("localhost"),
  spawn: async () => (await import("node:child_process")).spawnSync("/bin/true"),
  worker: async () => { const { Worker } = await import("node:worker_threads"); new Worker("0", { eval: true }); },
  addon: async () => process.dlopen({ exports: {} }, "/nothing.node"),
  wasi: async () => new (await import("node:wasi")).WASI({ version: "preview1", preopens: { "/": "/" } }),
  inspector: async () => (await import("node:inspector")).open(0),
  code: async () => new Function("return 1")(),
};
async function connect(to) {
  const net = await import("node:net");
  await new Promise((done, failed) => net.connect(to).once("connect", done).once("error", failed));
}
const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try { await attempt(); results[name] = "allowed"; } catch (error) { results[name] = error.code ?? error.name; }
}
console.log(JSON.stringify(results));
process.exit(0);
`;

describe("inside a UI process", () => {
  test("no file, socket, child, thread, addon or generated code can be had", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "pep-probe-"));
    const listener = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => listener.once("listening", resolve));
    const address = listener.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await writeFile(path.join(folder, "probe.mjs"), probe);
    const child = spawn(
      process.execPath,
      [...hardening(folder), path.join(folder, "probe.mjs"), folder, String(port)],
      { cwd: "/", env: {}, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await new Promise((resolve) => child.once("close", resolve));
    listener.close();
    await rm(folder, { recursive: true });
    const denied = "ERR_ACCESS_DENIED";
    expect(JSON.parse(output)).toEqual({
      readFile: denied,
      readProc: denied,
      listFolder: denied,
      writeFile: denied,
      tcp: denied,
      unixSocket: denied,
      udp: denied,
      listen: denied,
      lookup: denied,
      spawn: denied,
      worker: denied,
      addon: "ERR_DLOPEN_DISABLED",
      wasi: denied,
      inspector: denied,
      code: "EvalError",
    });
  });
});

describe("dropping privileges", () => {
  test.each([
    ["a uid alone", ["--uid=65534"]],
    ["a gid alone", ["--gid=65534"]],
    ["root", ["--uid=0", "--gid=0"]],
    ["no number", ["--uid=nobody", "--gid=65534"]],
    ["two of one", ["--uid=65534", "--uid=65533", "--gid=65534"]],
  ])("%s is refused before anything is said or read", async (_name, given) => {
    const ui = new UiProcess(built.bundle, { arguments: given });
    expect(await ui.exited).toBe(77);
    expect(ui.own).toEqual([]);
    expect(ui.stderr).toMatch(/^ui: privileges not dropped: /);
  });

  test.skipIf(!isRoot)("a process that isn't root can't become somebody else, and ends", async () => {
    await chmod(built.folder, 0o755);
    const child = spawn(process.execPath, [...hardening(built.folder), built.bundle, "--uid=65533", "--gid=65533"], {
      uid: 65534,
      gid: 65534,
      cwd: "/",
      env: {},
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise((resolve) => child.once("close", resolve));
    expect(code).toBe(77);
    expect(output).toBe("");
  });

  test.skipIf(!isRoot || !isLinux)(
    "as root, from a folder that only root can enter: every thread loses all of it, and all features still work",
    async () => {
      await chmod(built.folder, 0o700);
      const ui = new UiProcess(built.bundle, { arguments: ["--uid=65534", "--gid=65534"] });
      await ui.until(() => ui.own.length === 1, "ready");
      const tasks = await readdir(`/proc/${ui.child.pid}/task`);
      expect(tasks.length).toBeGreaterThan(1);
      for (const task of tasks) {
        const status = await readFile(`/proc/${ui.child.pid}/task/${task}/status`, "utf8");
        expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
        expect(status).toMatch(/^Gid:\t65534\t65534\t65534\t65534$/m);
        expect(status).toMatch(/^Groups:\s*$/m);
        expect(status).toMatch(/^CapEff:\t0{16}$/m);
        expect(status).toMatch(/^CapPrm:\t0{16}$/m);
      }
      // Nothing is loaded later: it could not be, the folder is closed to nobody.
      const session = ui.open(1, openAt(80, 24, { welcome: "Welcome 日本." }));
      session.type("Get-Re\t-Vol\t\u0012x\u0007\u0015one\r");
      await ui.until(() => session.messagesOf("line").length === 1, "line");
      session.tell({ type: "table", id: 1, columns: keyColumns, list: false });
      session.tell({ type: "rows", id: 1, rows: [keyRow(0)], more: false });
      session.tell({ type: "error", id: 1, category: "LimitsExceeded", message: "Too many." });
      session.tell({ type: "end", id: 1, exitStatus: 5, rowCount: 1 });
      session.tell({ type: "suspend" });
      session.tell({ type: "resume" });
      session.tell({ type: "resize", columns: 40, rows: 10 });
      await ui.until(() => session.messagesOf("released").length === 1, "released");
      session.tell({ type: "close" });
      await ui.settled();
      // The failure's path too.
      ui.write(encodeFrame(frameKind.message, 0, new TextEncoder().encode("{}")));
      expect(await ui.exited).toBe(70);
      expect(ui.stderr).not.toMatch(/EACCES|ERR_ACCESS_DENIED/);
    },
  );
});
