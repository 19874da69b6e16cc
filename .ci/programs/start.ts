/** The preset on PostgreSQL inside the process: no server is needed. */
import { fromPglite } from "@breakwater/pglite";
import { breakwater } from "breakwater";

const db = breakwater({ primary: fromPglite() });
await db.query("CREATE TABLE books (id int PRIMARY KEY, title text)");
await db.transaction(async (transaction) => {
  await transaction.query("INSERT INTO books VALUES ($1, $2)", [1, "The Waves"]);
});
const { rows } = await db.query("SELECT title FROM books WHERE id = $1", [1]);
console.log(rows);
await db.close();
