import type { Result } from "./connection.ts";
import { ConnectionLost } from "./errors.ts";
import { introspect } from "./introspection.ts";
import type { Site } from "./introspection.ts";
import type { ConnectionPool, Lease } from "./pool.ts";
import type { Statement } from "./statement.ts";

/** A pool together with what is known of the site behind it, asked anew for each generation of connections. */
export class SiteConnections {
  readonly #pool: ConnectionPool;
  #known: { readonly generation: number; readonly site: Promise<Site> } | undefined;

  constructor(pool: ConnectionPool) {
    this.#pool = pool;
  }

  counts(): ReturnType<ConnectionPool["counts"]> {
    return this.#pool.counts();
  }

  /** Lends a connection and tells the site. The borrower must release it. */
  async lease(signal: AbortSignal): Promise<{ readonly lease: Lease; readonly site: Site }> {
    const lease = await this.#pool.lease(signal);
    try {
      return { lease, site: await this.#siteOf(lease, signal) };
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** Runs `work` with a connection of its own; not repeated. */
  async use<T>(signal: AbortSignal, work: (lease: Lease, site: Site) => Promise<T>): Promise<T> {
    const { lease, site } = await this.lease(signal);
    try {
      return await work(lease, site);
    } finally {
      lease.release();
    }
  }

  /** As `use`, for work that only reads: done again, once, when the connection is lost under it. */
  async read<T>(signal: AbortSignal, work: (lease: Lease, site: Site) => Promise<T>): Promise<T> {
    try {
      return await this.use(signal, work);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      return this.use(signal, work);
    }
  }

  /**
   * Starts a statement whose rows are read at the reader's pace. The connection goes back as soon as the server is done
   * with it or the reader has stalled, whether or not the reader ever comes again.
   */
  async stream(signal: AbortSignal, statementFor: (site: Site) => Statement): Promise<{ result: Result; site: Site }> {
    const { lease, site } = await this.lease(signal);
    try {
      const result = await lease.connection.start(statementFor(site), { signal });
      void result.settled.then(() => lease.release());
      return { result, site };
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #siteOf(lease: Lease, signal: AbortSignal): Promise<Site> {
    const known = this.#known;
    if (known?.generation === lease.generation) {
      try {
        return await known.site;
      } catch {
        // Asked by somebody else, who may have been stopped: that is no answer for this caller, who asks for itself below.
      }
    }
    const site = introspect(lease.connection, signal);
    const mine = { generation: lease.generation, site };
    this.#known = mine;
    try {
      return await site;
    } catch (error) {
      if (this.#known === mine) this.#known = undefined;
      throw error;
    }
  }
}
