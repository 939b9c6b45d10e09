import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { run } from "./endpoint.ts";

const program = "/usr/sbin/rsyslogd";
const modules = ["/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib64/rsyslog"];
const has = (module: string): boolean => modules.some((folder) => existsSync(join(folder, `${module}.so`)));

export type Driver = "ossl" | "gtls";

/** rsyslog and its TLS driver are Debian packages of their own: rsyslog, rsyslog-openssl, rsyslog-gnutls. */
export const hasRsyslogd = (driver: Driver = "ossl"): boolean => existsSync(program) && has(`lmnsd_${driver}`);

const openssl = async (args: readonly string[]): Promise<void> => {
  const { status, stderr } = await run("openssl", args);
  if (status !== 0) throw new Error(stderr);
};

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** An authority of its own in a directory, and certificates from it. */
export const makeAuthority = async (directory: string, name = "ca") => {
  const ca = join(directory, `${name}.pem`);
  const caKey = join(directory, `${name}.key`);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await openssl(["req", "-x509", ...newKey, "-keyout", caKey, "-out", ca, "-subj", `/CN=${name}`, "-days", "2"]);
  return {
    ca,
    async issue(subject: string): Promise<Certificate> {
      const at = (suffix: string): string => join(directory, `${name}-${subject}.${suffix}`);
      await openssl(["req", ...newKey, "-keyout", at("key"), "-out", at("csr"), "-subj", `/CN=${subject}`]);
      writeFileSync(at("ext"), `subjectAltName=DNS:${subject}\n`);
      const by = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-days", "2", "-extfile", at("ext")];
      await openssl(["x509", "-req", "-in", at("csr"), ...by, "-out", at("pem")]);
      return { certificate: at("pem"), key: at("key") };
    },
  };
};

/** One message as rsyslogd parsed it. */
const received = z.object({
  pri: z.string(),
  timestamp: z.string(),
  host: z.string(),
  app: z.string(),
  procid: z.string(),
  msgid: z.string(),
  sd: z.string(),
  msg: z.string(),
});
export type Received = z.infer<typeof received>;

const decodeLine = (line: string): Received[] => {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    return [];
  }
  return [received.parse(raw)];
};

export const seqOf = ({ sd }: Received): number => Number(/ seq="(\d+)"/.exec(sd)?.[1]);

export interface RsyslogdOptions {
  readonly directory: string;
  readonly port: number;
  readonly ca: string;
  readonly server: Certificate;
  /** The name that a client's certificate must have. */
  readonly permittedPeer: string;
  readonly driver?: Driver;
}

/** A real rsyslogd on loopback with a configuration of its own; started, killed and started again by the test. */
export const rsyslogdIn = ({ directory, port, ca, server, permittedPeer, driver = "ossl" }: RsyslogdOptions) => {
  const out = join(directory, "received.ndjson");
  const configuration = join(directory, "rsyslog.conf");
  const field = (name: string, property: string): string =>
    `  property(outname="${name}" name="${property}" format="jsonf")`;
  writeFileSync(
    configuration,
    `global(workDirectory="${directory}" maxMessageSize="8k" defaultNetstreamDriver="${driver}"
  defaultNetstreamDriverCAFile="${ca}" defaultNetstreamDriverCertFile="${server.certificate}"
  defaultNetstreamDriverKeyFile="${server.key}" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" streamDriver.name="${driver}" streamDriver.mode="1" streamDriver.authMode="x509/name"
  permittedPeer=["${permittedPeer}"])
template(name="parsed" type="list" option.jsonf="on") {
${field("pri", "pri")}
${field("timestamp", 'timereported" dateFormat="rfc3339')}
${field("host", "hostname")}
${field("app", "app-name")}
${field("procid", "procid")}
${field("msgid", "msgid")}
${field("sd", "structured-data")}
${field("msg", "msg")}
}
input(type="imtcp" port="${port}" address="127.0.0.1" ruleset="all")
ruleset(name="all") { action(type="omfile" file="${out}" template="parsed") }
`,
  );
  let child: ChildProcess | undefined;
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill(signal);
    await exited;
  };
  onTestFinished(() => kill("SIGKILL"));
  const answers = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      const end = (listening: boolean) => (): void => {
        socket.destroy();
        resolve(listening);
      };
      socket.once("connect", end(true)).once("error", end(false));
    });
  return {
    kill,
    async start(): Promise<void> {
      // A kill in the middle of a write leaves half a line; what comes next must not become a part of it.
      if (existsSync(out) && !readFileSync(out, "utf8").endsWith("\n")) appendFileSync(out, "\n");
      const starting = spawn(program, ["-n", "-f", configuration, "-i", join(directory, "rsyslogd.pid")], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      child = starting;
      let said = "";
      starting.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
      while (!(await answers())) {
        if (starting.exitCode !== null) throw new Error(`rsyslogd ended: ${said}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    pid: (): number => child?.pid ?? 0,
    /** What it wrote so far; a line that a kill cut off is left out. */
    received: (): Received[] =>
      existsSync(out) ? readFileSync(out, "utf8").split("\n").slice(0, -1).flatMap(decodeLine) : [],
  };
};
