/** A stack on the fake pool, whose first answer is an error. */
import { circuitBreaker, compose, database, retry, timeout } from "breakwater";
import { emptyResult, failing, fakePool } from "@breakwater/core/testing";

const pool = fakePool((_operation, call) => {
  if (call === 1) throw failing();
  return emptyResult;
});
await using db = database(compose(timeout({ limitMs: 1_000 }), retry({ initialDelayMs: 1 }), circuitBreaker())(pool));
const { rowCount } = await db.query("SELECT 1");
if (rowCount !== 0 || pool.calls.length !== 2) throw new Error("the call was not retried");
