import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "./free-port.ts";

const keygen = "ssh-keygen";
const program = "/usr/sbin/sshd";

/** Whether OpenSSH's own server is here to compare with. */
export const hasSshd = existsSync(program);

/** Starts a real sshd on loopback with a configuration of its own; nothing of the machine's is read. Returns its port. */
export const startSshd = async (directory: string, lines: readonly string[]): Promise<number> => {
  const port = await freePort();
  const hostKey = join(directory, "sshd-host-key");
  spawnSync(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", hostKey]);
  const configuration = join(directory, "sshd_config");
  const own = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${hostKey}`,
    "PidFile none",
    "UsePAM no",
    "StrictModes no",
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "RequiredRSASize 3072",
    "LogLevel VERBOSE",
  ];
  writeFileSync(configuration, `${[...own, ...lines].join("\n")}\n`);
  if (process.geteuid?.() === 0) mkdirSync("/run/sshd", { recursive: true }); // its privilege separation
  const child = spawn(program, ["-D", "-e", "-f", configuration], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGTERM");
  });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`sshd ended: ${said}`)));
    child.stderr.on("data", (bytes: Buffer) => {
      said += bytes.toString("utf8");
      if (said.includes("Server listening")) resolve();
    });
  });
  return port;
};
