/** Options: what is misspelled, out of reach or said to be undefined does not compile. */
import { fromPg } from "@breakwater/pg";
import { circuitBreaker, retry, retryBudget, router, timeout } from "@breakwater/policies";
import { breakwater } from "breakwater";
import pg from "pg";

declare const url: string;
declare const maybe: number | undefined;

timeout({ limitMs: 100 });
// @ts-expect-error a limit must be said
timeout({});
// @ts-expect-error a misspelled option
timeout({ limitMs: 100, limit: 1 });
// @ts-expect-error a duration is a number of milliseconds
timeout({ limitMs: "1s" });

retry();
retry({ maxRetries: 3, initialDelayMs: 50, maxDelayMs: 2_000, factor: 2, jitter: "full", budget: false });
retry({ budget: retryBudget({ ratio: 0.1 }) });
// @ts-expect-error `attempts` counts something else
retry({ attempts: 3 });
// @ts-expect-error a kind of jitter that there is not
retry({ jitter: "some" });
// @ts-expect-error a budget is an object, or false
retry({ budget: 0.2 });
// @ts-expect-error left out is not the same as undefined
retry({ maxRetries: maybe });

circuitBreaker();
circuitBreaker({ trip: { kind: "sampling", failureRatio: 0.5, minimumCalls: 10, windowMs: 10_000 }, breakMs: 500 });
// @ts-expect-error an option of another kind of trip
circuitBreaker({ trip: { kind: "consecutive", windowMs: 10_000 } });
// @ts-expect-error only nodes and load can be counted
circuitBreaker({ counts: ["statement"] });

router({ primary: fromPg(url), replicas: [fromPg(url)] });
// @ts-expect-error a router is given pools
router({ primary: url });
// @ts-expect-error a router needs a primary
router({ replicas: [fromPg(url)] });

fromPg(url, { acquireTimeoutMs: 1_000, name: "primary" });
fromPg({ host: "localhost", max: 5 });
fromPg(new pg.Pool());
// @ts-expect-error a client is no pool
fromPg(new pg.Client(), { poolMax: 1 });
// @ts-expect-error a misspelled option
fromPg(url, { acquireTimeout: 1_000 });

breakwater();
breakwater({ primary: url, replicas: [url, { host: "localhost" }, new pg.Pool()], retry: false, timeoutMs: false });
breakwater({ primary: url, pool: { max: 20 }, circuitBreaker: { breakMs: 500 }, policies: [timeout({ limitMs: 1 })] });
// @ts-expect-error a misspelled option
breakwater({ primary: url, replica: [url] });
// @ts-expect-error the name of the router is the name of the whole
breakwater({ primary: url, router: { name: "other" } });
// @ts-expect-error a policy must be made first
breakwater({ primary: url, nodePolicies: [circuitBreaker] });
// @ts-expect-error left out is not the same as undefined
breakwater({ primary: url, timeoutMs: maybe });
