import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { root } from "../harness/endpoint.ts";
import { freePort } from "../harness/free-port.ts";

/** Debian's openssh-server with a configuration of its own, on a loopback port of its own. */
export interface Peer {
  readonly port: number;
  readonly pid: number;
  readonly user: string;
  readonly directory: string;
}

const sshd = "/usr/sbin/sshd";
const user = "pep-bench";

/** What the comparison needs and a machine may not have; empty when all is there. */
export const missingForPeer = (): readonly string[] => [
  ...(process.getuid?.() === 0 ? [] : ["root (sshd changes to a user of its own)"]),
  ...[sshd, "/usr/bin/sqlite3", "/usr/bin/python3", "/bin/dash"].filter((file) => !existsSync(file)),
  ...(spawnSync("/usr/bin/python3", ["-c", "import cryptography"]).status === 0 ? [] : ["python3-cryptography"]),
];

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

// One command for all rows; what it costs to choose is a comparison of two words in dash.
const forcedCommand = (directory: string): string => `#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
'') PS1='bench> ' exec /bin/bash --noprofile --norc -i ;;
*-RecoveryKeyId*)
  exec /usr/bin/sqlite3 -json '${directory}/plain.sqlite' "SELECT * FROM keys WHERE PasswordId = '\${SSH_ORIGINAL_COMMAND##* }'" ;;
python) exec /usr/bin/python3 '${directory}/decrypt.py' '${directory}' ;;
sqlite3)
  exec /usr/bin/sqlite3 '${directory}/plain.sqlite' "SELECT json_object('PasswordId', PasswordId, 'RecoveryKey', RecoveryKey,
    'ComputerName', ComputerName, 'VolumeId', VolumeId, 'VolumeType', VolumeType, 'LastUpdateTime', LastUpdateTime) FROM keys" ;;
cat) exec /bin/cat '${directory}/raw' ;;
tedious) exec '${process.execPath}' '${join(root, "test", "bench", "peer", "plain-tedious.ts")}' '${directory}/tedious.json' ;;
esac
`;

const configuration = (directory: string, port: number): string => `
Port ${port}
ListenAddress 127.0.0.1
HostKey ${directory}/host-key
PidFile none
AuthorizedKeysFile ${directory}/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 200
MaxSessions 200
PrintMotd no
PrintLastLog no
LogLevel ERROR
AllowUsers ${user}
ForceCommand ${directory}/command
`;

/** A user whose login shell, dash, reads no start-up file; `*`, because without PAM sshd takes `!` for a locked account. */
const ensureUser = (): void => {
  if (spawnSync("id", [user]).status === 0) return;
  execFileSync("/usr/sbin/useradd", ["--system", "-M", "-d", "/nonexistent", "-s", "/bin/dash", "-p", "*", user]);
};

export const startPeer = async (
  parent: string,
  publicKeyFile: string,
  onEnd: (close: () => Promise<void>) => void,
): Promise<Peer> => {
  ensureUser();
  // The user's side of the fence: readable, unlike the endpoint's own directory.
  const directory = join(parent, "peer");
  mkdirSync(directory, { recursive: true });
  for (const each of [parent, directory]) chmodSync(each, 0o755);
  mkdirSync("/run/sshd", { recursive: true });
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(directory, "host-key")]);
  copyFileSync(publicKeyFile, join(directory, "authorized_keys"));
  copyFileSync(join(root, "test", "bench", "peer", "decrypt.py"), join(directory, "decrypt.py"));
  writeFileSync(join(directory, "command"), forcedCommand(directory), { mode: 0o755 });
  const port = await freePort();
  writeFileSync(join(directory, "sshd_config"), configuration(directory, port));
  const hostKey = readFileSync(join(directory, "host-key.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  writeFileSync(join(directory, "known_hosts"), `[127.0.0.1]:${port} ${hostKey}\n`);
  const child = spawn(sshd, ["-D", "-e", "-f", join(directory, "sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  onEnd(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`sshd ended with ${child.exitCode}: ${complaint}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port, pid: child.pid ?? 0, user, directory };
};
