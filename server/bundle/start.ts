import { loadBundle } from "./load.ts";

await loadBundle(import.meta.dirname).run();
