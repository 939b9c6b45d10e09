import { afterAll, afterEach, beforeAll } from "vitest";
import { createSiteMaker, type SiteMaker, type TestSite } from "./fixture.ts";

/**
 * Makes sites for the tests of a file, each gone after its test. Every file calls it for itself: the files of a worker share modules, but
 * no hooks.
 */
export const madeSites = (options: Parameters<typeof createSiteMaker>[0] = {}): (() => Promise<TestSite>) => {
  let maker: SiteMaker;
  const made: TestSite[] = [];
  beforeAll(async () => {
    maker = await createSiteMaker(options);
  });
  afterEach(async () => {
    for (const site of made.splice(0)) await site.dispose();
  });
  afterAll(() => maker.dispose());
  return async () => {
    const site = await maker.make();
    made.push(site);
    return site;
  };
};
