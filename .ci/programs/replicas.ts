/** The same lines, with a primary and two replicas. */
import { startCluster } from "@breakwater/chaos";
import { breakwater } from "breakwater";

const cluster = await startCluster({ replicas: 2 });
const [primary = "", ...replicas] = cluster.nodes.map((node) => node.connectionString);

const db = breakwater({ primary, replicas });
await db.query("CREATE TABLE books (id int PRIMARY KEY, title text)");
await db.transaction(async (transaction) => {
  await transaction.query("INSERT INTO books VALUES ($1, $2)", [1, "The Waves"]);
});
const { rows } = await db.query("SELECT title FROM books WHERE id = $1", [1]);
console.log(rows);
await db.close();
await cluster.close();
