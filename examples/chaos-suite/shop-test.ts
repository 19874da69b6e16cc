/** `chaosTest` with a shop in front of the test's own cluster: two instances of the service, and customers who ask both. */
import { chaosTest } from "@breakwater/chaos/vitest";
import { breakwater } from "breakwater";
import { Customer } from "./customer.ts";
import { schema, startService } from "./service.ts";

/** What a customer does in one round. */
export type Visit = (customer: Customer, name: string, round: number) => Promise<unknown>;

export interface Shop {
  /** Lets so many customers do their rounds until `enough()`; rounds that have begun are done to their end. */
  visitedBy(customers: number, visit: Visit, enough: () => boolean): Promise<void>;
}

// Commits wait for a replica: what only a killed server had, nobody could bring back.
const synchronousTest = chaosTest.extend({ clusterOptions: { replicas: 2, synchronous: true } });

export const shopTest = synchronousTest.extend<{ shop: Shop }>({
  shop: async ({ cluster }, use) => {
    const [primary = "", ...replicas] = cluster.nodes.map(({ connectionString }) => connectionString);
    await cluster.primary.query(schema);
    const databases = [breakwater({ primary, replicas }), breakwater({ primary, replicas })];
    const services = await Promise.all(databases.map(startService));
    const urls = services.map(({ url }) => url);
    const closed = new AbortController();
    await use({
      async visitedBy(customers, visit, enough) {
        const come = async (at: number): Promise<void> => {
          const customer = new Customer(urls, at);
          for (let n = 1; !closed.signal.aborted && !enough(); n++) {
            // The history has noted what the customer was told.
            await visit(customer, `customer-${at}`, n).catch(() => undefined);
          }
        };
        await Promise.all(Array.from({ length: customers }, (_, at) => come(at)));
      },
    });
    closed.abort();
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all(databases.map((db) => db.close()));
  },
});
