import { existsSync, mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pathsIn, readConfiguration, type Configuration } from "../../server/configuration.ts";
import { openEndpoint, type Endpoint } from "../../server/endpoint/open-endpoint.ts";
import { pep, root } from "../harness/endpoint.ts";
import { freePort, takePort } from "../harness/free-port.ts";
import { testRuntime } from "../harness/runtime.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

const demo = async (): Promise<Configuration> => {
  const dataDirectory = join(temporaryDirectory(), "pep");
  const { status, stderr } = await pep(["init", "--demo", "--data-dir", dataDirectory]);
  expect(stderr).toContain("made ");
  expect(status).toBe(0);
  const configuration = readConfiguration(dataDirectory, pathsIn(dataDirectory).endpoint);
  return { ...configuration, listen: { host: "127.0.0.1", port: 0 } };
};

const open = (configuration: Configuration): Promise<Endpoint> =>
  openEndpoint(configuration, testRuntime({ report: () => undefined }), {
    host: { hostName: "pep-1", packageRoot: root, version: "test", credentialsDirectory: undefined },
    rolesPath: pathsIn(configuration.dataDirectory).roles,
    stop: new AbortController().signal,
  });

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false)).once("data", () => socket.destroy());
  });

test("an endpoint opens, answers, and is opened again by the same process once it was closed", async () => {
  const configuration = await demo();
  for (const reason of ["first", "second"]) {
    const endpoint = await open(configuration);
    expect(await answers(endpoint.address.port)).toBe(true);
    await endpoint.drain(reason);
    await endpoint.close();
    expect(await answers(endpoint.address.port)).toBe(false);
    expect(existsSync(pathsIn(configuration.dataDirectory).control)).toBe(false);
  }
});

test("where the address is taken, everything that was opened before is closed again", async () => {
  const configuration = await demo();
  const taken = await takePort();
  onTestFinished(taken.release);
  const listen = { host: "127.0.0.1", port: taken.port };
  await expect(open({ ...configuration, listen })).rejects.toThrow("another program uses it");
  await taken.release();
  // The record's lock is free, and so is the site database.
  const endpoint = await open({ ...configuration, listen });
  expect(await answers(taken.port)).toBe(true);
  await endpoint.close();
});

test("where the control socket can't be made, the port is given back", async () => {
  const configuration = await demo();
  const { control } = pathsIn(configuration.dataDirectory);
  mkdirSync(join(control, "in-the-way"), { recursive: true });
  const port = await freePort();
  const listen = { host: "127.0.0.1", port };
  await expect(open({ ...configuration, listen })).rejects.toThrow("control.sock");
  expect(await answers(port)).toBe(false);
  rmSync(control, { recursive: true });
  const endpoint = await open({ ...configuration, listen });
  expect(await answers(port)).toBe(true);
  await endpoint.close();
});
