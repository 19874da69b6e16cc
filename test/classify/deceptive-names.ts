/** The words that the generator puts in the places of names, functions and literals. */

/** Names without meaning to PostgreSQL, and key words that may be names: each may be a table, column, alias or function. */
export const names: readonly string[] = [
  ..."t users a b x id orders my_f lower2 f".split(" "),
  ..."by sets rollup cube zone first next operator varying columns over filter materialized value escape key second".split(
    " ",
  ),
  ..."data name type text ordinality recursive partition groups range rows share update delete insert merge".split(" "),
];
/** Key words that may be functions but not tables or columns. */
export const functionNames: readonly string[] = [
  "join",
  "ilike",
  "natural",
  "verbose",
  "collation",
  "overlaps",
  "left",
  "like",
  "full",
  "isnull",
];
export const safe: readonly string[] = [
  "lower",
  "count",
  "now",
  "coalesce",
  "max",
  "length",
  "random",
  "pg_catalog.upper",
  "left",
  "row_number",
  "abs",
];
export const unsafe: readonly string[] = [
  ..."nextval setval currval set_config pg_notify lo_create pg_advisory_lock pg_try_advisory_lock txid_current".split(
    " ",
  ),
  ..."pg_switch_wal query_to_xml current_setting pg_backend_pid pg_is_in_recovery pg_stat_reset dblink_exec".split(" "),
  "pg_catalog.nextval",
  "pg_catalog . set_config",
  '"nextval"',
  '"pg_catalog"."setval"',
  "nExTvAl",
];
export const relations: readonly string[] = [
  "t",
  "users",
  "public.orders",
  "pg_class",
  "pg_stat_activity",
  "pg_settings",
  "pg_temp.x",
  "pg_locks",
  '"T"',
];
export const strings: readonly string[] = [
  "'x'",
  "''",
  "'it''s'",
  "E'a\\'b'",
  "e'\\\\'",
  "'back\\'",
  "'a\\''b'",
  "U&'\\0041'",
  "$$ ' $$",
  "$q$ $$ ; drop -- $q$",
  "'--'",
  "'/*'",
  "'$$'",
  "B'01'",
  "X'1F'",
  "N'n'",
  "'a'\n'b'",
  "E'a'\n'b\\'c'",
];
export const quoted: readonly string[] = [
  '"q"',
  '"we""ird"',
  '"sel ect"',
  '"("',
  '"--"',
  '"for update"',
  '"$$"',
  'U&"d\\0061ta"',
];
export const types: readonly string[] = [
  "int",
  "text",
  "numeric(10,2)",
  "varchar(3)",
  "timestamp(3) with time zone",
  "my_type(3)",
  "int[]",
  "bit varying(3)",
  "date",
  "interval second(2)",
];
