/**
 * What the catalog knows of functions that a text alone cannot judge.
 *
 * PostgreSQL's own word is taken: a function that is declared IMMUTABLE or STABLE "cannot modify the database"
 * (documentation, CREATE FUNCTION), and PostgreSQL holds those written in SQL and PL/pgSQL to it for their own statements.
 * One that has it done by another function breaks the word; a replica then refuses what would write, but not what changes
 * only its connection, such as an advisory lock or `set_config`.
 */
import type { Connection, FunctionCatalog } from "@breakwater/core";

import { inspect } from "./classify/index.ts";

/**
 * All overloads that a name can mean: of a qualified name those of its schema, of another those of every schema of the
 * search path. An aggregate is as volatile as the functions that it is made of. A name without any is a type's, as in
 * `numeric(1)`, or the server will refuse it.
 */
const HARMLESS = `select asked.name from unnest($1::text[]) as asked(name)
  cross join lateral (select parse_ident(asked.name) as parts) as ident
where not exists (
  select from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    left join pg_catalog.pg_aggregate a on a.aggfnoid = p.oid
  where p.proname = parts[cardinality(parts)]::name
    and case when cardinality(parts) = 1 then n.nspname = any(current_schemas(true))
      else n.nspname = parts[cardinality(parts) - 1]::name end
    and (p.provolatile = 'v' or p.prokind = 'p' or exists (
      select from pg_catalog.pg_proc part where part.provolatile = 'v' and part.oid in (a.aggtransfn, a.aggfinalfn,
        a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))))`;

const NONE: readonly string[] = Object.freeze([]);

export const functions: FunctionCatalog = Object.freeze({
  undecided(text: string): readonly string[] {
    const { classIfHarmless, unknownFunctions } = inspect(text);
    return classIfHarmless === "read" ? unknownFunctions : NONE;
  },

  async harmless(connection: Connection, names: readonly string[]): Promise<ReadonlySet<string>> {
    const { rows } = await connection.query<{ name: string }>({ text: HARMLESS, values: [names] });
    return new Set(rows.map(({ name }) => name));
  },
});
