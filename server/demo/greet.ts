import { join } from "node:path";
import { pathsIn, type Configuration } from "../configuration.ts";
import { replaceFile } from "../files/replace-file.ts";
import { readHostKeyProofs } from "../ssh/host-key-proofs.ts";

/** ssh_config(5) quoting: a path may hold blanks. */
const quoted = (path: string): string => `"${path}"`;

const sharedAccount =
  "WARNING: all screens share one account here. Outside a demo, an administrator must accept that " +
  "(userInterface.acceptSharedAccount).";

/** Writes the demo's own ssh_config and known_hosts, and shows lines to paste. */
export const greetDemo = async (
  configuration: Configuration,
  port: number,
  { users, sharesAccount }: { readonly users: readonly string[]; readonly sharesAccount: boolean },
  stderr: { write(text: string): unknown },
): Promise<void> => {
  const paths = pathsIn(configuration.dataDirectory);
  const { knownHostsLine } = readHostKeyProofs(paths.hostKey);
  await replaceFile(paths.knownHosts, `${knownHostsLine("127.0.0.1", port)}\n`);
  await replaceFile(
    paths.sshConfiguration,
    [
      "Host pep",
      "  HostName 127.0.0.1",
      `  Port ${port}`,
      `  IdentityFile ${quoted(join(paths.demoKeys, "%r"))}`,
      "  IdentitiesOnly yes",
      `  UserKnownHostsFile ${quoted(paths.knownHosts)}`,
      "  StrictHostKeyChecking yes",
      "",
    ].join("\n"),
  );
  const ssh = `ssh -F ${paths.sshConfiguration}`;
  stderr.write(
    [
      ...(sharesAccount ? [sharedAccount] : []),
      "WARNING: this is a demo. Its master key lies in its data directory, so its recovery keys are not protected.",
      "",
      `Log in, with a screen:   ${ssh} support@pep`,
      `One key, for a script:   ${ssh} support@pep "Get-RecoveryKeys -ComputerName DEMO-PC-01"`,
      `All keys as CSV:         ${ssh} exporter@pep "Get-RecoveryKeys -raw -Format csv"`,
      `Check the certificate:   ${ssh} certadmin@pep verify-cert`,
      "",
      `Users: ${users.join(", ")}. Stop with Ctrl-C.`,
      "",
    ].join("\n"),
  );
};
