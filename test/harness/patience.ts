import { vi } from "vitest";

/** As for polled expectations (vitest.config.ts); vitest's own default for `vi.waitFor`, a second, can't be configured. */
const patienceMs = 45_000;

const waitFor: typeof vi.waitFor = vi.waitFor.bind(vi);
vi.waitFor = (look, options) =>
  waitFor(look, { timeout: patienceMs, ...(typeof options === "number" ? { timeout: options } : options) });
