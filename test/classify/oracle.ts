/**
 * What PostgreSQL's own parser says about a text: the judge of the classifier.
 *
 * It shares the tables of names with the classifier, but nothing of how a text is read: it walks the tree that the real
 * parser builds.
 */
import { loadModule, parseSync } from "libpg-query";
import { safeFunctions } from "../../packages/postgres/src/classify/catalog.ts";
import {
  sequenceColumns,
  sessionFunctions,
  sessionRelations,
  writeFunctions,
  writeRelations,
} from "../../packages/postgres/src/classify/effects.ts";

/** The judgement of a text. */
export interface Judgement {
  /** The class, user-defined functions taken for harmless. */
  readonly class: "read" | "write" | "session";
  /** Functions that are not built in. */
  readonly unknown: readonly string[];
}

const safe = new Set(safeFunctions);
const functionClass = new Map<string, "write" | "session">();
for (const name of writeFunctions) functionClass.set(name, "write");
for (const name of sessionFunctions) functionClass.set(name, "session");
const relationClass = new Map<string, "write" | "session">();
for (const name of writeRelations) relationClass.set(name, "write");
for (const name of sessionRelations) relationClass.set(name, "session");
const ofSequences = new Set(sequenceColumns);

const sessionStatements = new Set([
  "VariableSetStmt",
  "VariableShowStmt",
  "DiscardStmt",
  "PrepareStmt",
  "ExecuteStmt",
  "DeallocateStmt",
  "DeclareCursorStmt",
  "FetchStmt",
  "ClosePortalStmt",
  "ListenStmt",
  "UnlistenStmt",
  "LoadStmt",
  "TransactionStmt",
  "CopyStmt",
  "ConstraintsSetStmt",
]);

type Tree = { readonly [key: string]: unknown };

/** Loads the parser; to be awaited before the first judgement. */
export const loadParser: () => Promise<void> = loadModule;

/** Judges a text, or gives `undefined` when the parser refuses it. */
export function judge(sql: string): Judgement | undefined {
  let statements: readonly Tree[];
  try {
    statements = ((parseSync(sql) as { stmts?: unknown }).stmts ?? []) as readonly Tree[];
  } catch {
    return undefined;
  }
  const judged = { write: false, session: false, unknown: new Set<string>() };
  const note = (found: "write" | "session" | undefined): void => {
    if (found === "write") judged.write = true;
    else if (found === "session") judged.session = true;
  };

  function statement(node: Tree): void {
    const [type = "", body] = Object.entries(node)[0] ?? [];
    if (sessionStatements.has(type)) note("session");
    else if (type === "ExplainStmt") statement((body as Tree)["query"] as Tree);
    else if (type !== "SelectStmt") note("write");
  }

  function visit(value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      inspectNode(key, child);
      visit(child);
    }
  }

  function inspectNode(key: string, child: unknown): void {
    const node = child as Tree;
    switch (key) {
      case "InsertStmt":
      case "UpdateStmt":
      case "DeleteStmt":
      case "MergeStmt":
      case "LockingClause":
        note("write");
        return;
      case "intoClause":
        note("write");
        if ((node["rel"] as Tree | undefined)?.["relpersistence"] === "t") note("session");
        return;
      case "CreateStmt":
      case "ViewStmt":
      case "CreateSeqStmt": {
        const relation = (node["relation"] ?? node["view"] ?? node["sequence"]) as Tree | undefined;
        if (relation?.["relpersistence"] === "t") note("session");
        return;
      }
      case "CreateTableAsStmt": {
        const into = node["into"] as Tree | undefined;
        if ((into?.["rel"] as Tree | undefined)?.["relpersistence"] === "t") note("session");
        return;
      }
      case "FuncCall":
        called(strings(node["funcname"]));
        return;
      case "RangeTableSample":
        called(strings(node["method"]));
        return;
      case "ColumnRef":
      case "A_Indirection": {
        const names = strings(key === "ColumnRef" ? node["fields"] : node["indirection"]);
        const fields = key === "ColumnRef" ? names.slice(1) : names;
        // A field can be the call of a function of that name.
        for (const name of fields) note(functionClass.get(name));
        const last = names.at(-1);
        if (last !== undefined && ofSequences.has(last)) note("write");
        if (key === "ColumnRef" && names[0] === "pg_temp") note("session");
        return;
      }
      case "RangeVar":
      case "relation":
      case "rel":
        related(node);
        return;
      default:
    }
  }

  function called(names: readonly string[]): void {
    const name = names.at(-1) ?? "";
    const schema = names.at(-2);
    if (schema === undefined || schema === "pg_catalog") {
      const known = functionClass.get(name);
      if (known !== undefined) note(known);
      else if (safe.has(name)) return;
      else if (name.startsWith("pg_") || schema === "pg_catalog") note("write");
      else judged.unknown.add(names.join("."));
    } else if (schema !== "information_schema" || !name.startsWith("_pg_")) judged.unknown.add(names.join("."));
  }

  function related(node: Tree): void {
    const name = node["relname"];
    const schema = node["schemaname"];
    if (typeof schema === "string" && /^pg_(toast_)?temp/.test(schema)) note("session");
    if (typeof name !== "string" || (schema !== undefined && schema !== "pg_catalog")) return;
    note(relationClass.get(name));
    if (/^pg_stat(io)?_/.test(name)) note("write");
  }

  for (const one of statements) statement(one["stmt"] as Tree);
  visit(statements);
  return {
    class: judged.session ? "session" : judged.write ? "write" : "read",
    unknown: [...judged.unknown],
  };
}

/** The strings of a list of String nodes; other nodes give none. */
function strings(list: unknown): string[] {
  return ((list ?? []) as readonly Tree[]).flatMap((item) => {
    const sval = (item["String"] as Tree | undefined)?.["sval"];
    return typeof sval === "string" ? [sval] : [];
  });
}
