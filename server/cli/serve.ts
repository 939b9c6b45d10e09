import { isLoopback, parseListen, pathsIn, readConfiguration, type Configuration } from "../configuration.ts";
import { greetDemo } from "../demo/greet.ts";
import { openEndpoint, type Endpoint } from "../endpoint/open-endpoint.ts";
import { EndpointError } from "../errors.ts";
import { demoUsers, initDataDirectory } from "./init.ts";
import type { Io } from "./io.ts";

export interface ServeOptions {
  readonly dataDirectory: string;
  readonly config: string | undefined;
  readonly roles: string | undefined;
  readonly listen: string | undefined;
  readonly demo: boolean;
}

/** What the operating system tells a running server: SIGHUP, and SIGTERM or Ctrl-C. */
export interface Signals {
  onReload(reload: () => void): void;
  readonly stop: AbortSignal;
}

const makeDemo = async ({ dataDirectory, listen }: ServeOptions, io: Io): Promise<void> => {
  if (listen !== undefined && !isLoopback(parseListen(listen).host)) {
    throw new EndpointError("InvalidArgument", "A demo listens on loopback only: its keys protect nothing.");
  }
  await initDataDirectory({ dataDirectory, demo: true }, io);
};

/** endpoint.json, with what the command line says instead. */
const configurationOf = ({ dataDirectory, config, listen }: ServeOptions): Configuration => {
  const written = readConfiguration(dataDirectory, config ?? pathsIn(dataDirectory).endpoint);
  const configuration = listen === undefined ? written : { ...written, listen: parseListen(listen) };
  if (configuration.demo && !isLoopback(configuration.listen.host)) {
    throw new EndpointError("InvalidArgument", "A demo's data directory is served on loopback only.");
  }
  return configuration;
};

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
};

/** Tells who waits for it where the endpoint listens, and serves until a stop signal. */
const serveUntilStopped = async (
  endpoint: Endpoint,
  configuration: Configuration,
  signals: Signals,
  io: Io,
): Promise<void> => {
  const { address, hostKeyFingerprint, sharesAccount } = endpoint;
  signals.onReload(() => {
    endpoint.reload().catch((error: unknown) => io.report(`the reload could not be recorded: ${String(error)}`));
  });
  if (configuration.demo) {
    await greetDemo(configuration, address.port, { users: demoUsers, sharesAccount }, io.stderr);
  }
  io.stdout.write(`listening on ${address.host}:${address.port} ${hostKeyFingerprint}\n`);
  await endpoint.warm();
  await aborted(signals.stop);
  await endpoint.drain(String(signals.stop.reason));
};

/** `pep serve`: runs until a stop signal, then drains. Resolves with the exit status. */
export const serveCommand = async (options: ServeOptions, signals: Signals, io: Io): Promise<number> => {
  if (options.demo) await makeDemo(options, io);
  const configuration = configurationOf(options);
  const rolesPath = options.roles ?? pathsIn(options.dataDirectory).roles;
  const endpoint = await openEndpoint(configuration, io, { host: io, rolesPath, stop: signals.stop });
  try {
    await serveUntilStopped(endpoint, configuration, signals, io);
    return 0;
  } finally {
    await endpoint.close();
  }
};
