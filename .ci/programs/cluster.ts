/** The preset on a real server, which the packages bring along. */
import { startCluster } from "@breakwater/chaos";
import { breakwater } from "breakwater";

await using cluster = await startCluster({ replicas: 0 });
await using db = breakwater({ primary: cluster.primary.connectionString });
const { rows } = await db.transaction((transaction) => transaction.query<{ two: number }>("SELECT 1 + 1 AS two"));
if (rows[0]?.two !== 2) throw new Error("the server cannot add");
