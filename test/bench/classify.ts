/** Prints what classifying a text costs, in nanoseconds: a text that is seen for the first time, and one seen before. */
import { classify, inspectAnew } from "../../packages/postgres/src/classify/classify.ts";

const point = "SELECT id, name, email, created_at FROM users WHERE id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1";
const orm =
  'SELECT "u"."id" AS "u_id", "u"."name" AS "u_name", lower("u"."email") AS "u_email", count("o"."id") AS "orders" ' +
  'FROM "public"."users" AS "u" LEFT JOIN "public"."orders" AS "o" ON ("o"."user_id" = "u"."id") ' +
  'WHERE ("u"."active" = $1 AND "u"."id" IN ($2, $3, $4)) GROUP BY "u"."id" ORDER BY "u"."id" ASC LIMIT 10';
const texts: Record<string, string> = {
  "point select": point,
  "ORM select": orm,
  "2 kB join": `SELECT ${Array.from({ length: 60 }, (_, i) => `t${i % 5}.column_${i} AS c${i}`).join(", ")} FROM t0 ${[
    1, 2, 3, 4,
  ]
    .map((i) => `JOIN t${i} ON t${i}.id = t0.id /* next */`)
    .join(" ")} WHERE t0.a = 'some text' AND coalesce(t1.b, 0) > 5`,
  "CTE with INSERT":
    "WITH moved AS (INSERT INTO archive SELECT * FROM events WHERE at < now() RETURNING id) SELECT count(*) FROM moved",
  "100 row insert": `INSERT INTO t (a, b, c) VALUES ${Array.from({ length: 100 }, (_, i) => `($${i * 3 + 1}, $${i * 3 + 2}, $${i * 3 + 3})`).join(", ")}`,
};

/** Median over rounds of the time that one call takes. */
function nanoseconds(call: () => unknown, calls: number): number {
  const rounds: number[] = [];
  for (let round = 0; round < 41; round++) {
    const begin = process.hrtime.bigint();
    for (let index = 0; index < calls; index++) call();
    rounds.push(Number(process.hrtime.bigint() - begin) / calls);
  }
  return rounds.toSorted((a, b) => a - b)[20] ?? 0;
}

for (const [name, text] of Object.entries(texts)) {
  const anew = nanoseconds(() => inspectAnew(text), 5_000);
  const known = nanoseconds(() => classify(text), 100_000);
  console.log(`${name} (${text.length} characters): new ${anew.toFixed(0)} ns, known ${known.toFixed(1)} ns`);
}

const inputs: Record<string, (size: number) => string> = {
  "nested comments": (size) => "/*".repeat(size) + "*/".repeat(size) + "select 1",
  "unterminated nested comments": (size) => "/*".repeat(size),
  parentheses: (size) => `select ${"(".repeat(size)}1${")".repeat(size)}`,
  "dollar tags": (size) => `select ${Array.from({ length: size }, (_, i) => `$a${i}$`).join(" ")}`,
  "doubled quotes": (size) => `select '${"''".repeat(size)}`,
  backslashes: (size) => `select E'${"\\\\".repeat(size)}'`,
  "ambiguous quotes": (size) => `select ${"'\\' || ".repeat(size)}''`,
  calls: (size) => `select ${"f(1), ".repeat(size)}1`,
  dots: (size) => `select ${"a.".repeat(size)}f(1)`,
  "sequence columns": (size) => `select ${"last_value /* */ , ".repeat(size)}1`,
};
for (const [name, make] of Object.entries(inputs)) {
  const [small = 0, large = 0] = [50_000, 200_000].map((size) => {
    const text = make(size);
    return nanoseconds(() => inspectAnew(text), 1) / 1e6;
  });
  console.log(`${name}: 50,000 in ${small.toFixed(2)} ms, 200,000 in ${large.toFixed(2)} ms`);
}
