/**
 * What a call wants: a read or a write, and where to. The caller's own word comes first, then the rules, then what was
 * learned of the text, then what the dialect read in it.
 */
import {
  type Access,
  type Clock,
  type Dialect,
  flag,
  knownOptions,
  oneOf,
  type Operation,
  OptionError,
  text,
} from "@breakwater/core";
import {
  type CallMatch,
  type CallMatcher,
  callMatcher,
  MATCH_OPTIONS,
  type RuleCall,
  ruleCall,
} from "../call-match.ts";
import { FunctionLookup } from "./function-lookup.ts";
import { Remembered } from "./remembered.ts";

/** Sends the calls that it fits to one place. All conditions that are given must hold. */
export interface Rule extends CallMatch {
  /**
   * Functions that are not built in, spelled as in the texts. A rule that makes a read of a call fits a text that calls no
   * others and would else be a read; any other rule fits a text that calls one of them.
   */
  readonly functions?: readonly string[];
  /** Where to: the primary, a replica (the primary while there is none), or the node of that name and no other. */
  readonly to?: string;
  /** What the call is. @default read for `to: "replica"`, else what the dialect made of it */
  readonly access?: Access;
}

/** Where a call goes, once it is known. */
export interface Destination<T> {
  readonly operation: Operation<T>;
  /** The node that a rule named; undefined for any node that will do. */
  readonly node: string | undefined;
}

export interface DestinationOptions {
  readonly rules: readonly Rule[];
  readonly lookUpFunctions: boolean;
  readonly clock: Clock;
}

export class Destinations {
  readonly #dialect: Dialect;
  readonly #rules: readonly CheckedRule[];
  readonly #refused = new Remembered();
  readonly #functions: FunctionLookup | undefined;

  /** `ask` runs a question on a node that can answer it. */
  constructor(dialect: Dialect, { rules, lookUpFunctions, clock }: DestinationOptions, ask: FunctionLookup["ask"]) {
    this.#dialect = dialect;
    this.#rules = rules.map((rule, index) => checkRule(rule, index, dialect));
    this.#functions =
      lookUpFunctions && dialect.functions !== undefined
        ? new FunctionLookup(dialect.functions, clock, ask)
        : undefined;
  }

  /** Texts that a standby has refused. */
  get refusedTexts(): number {
    return this.#refused.size;
  }

  of<T>(operation: Operation<T>): Destination<T> {
    // Nearly every call: nothing is known that would make something else of a read.
    const plain = operation.access === "read" && this.#rules.length === 0 && this.#refused.size === 0;
    if (plain && operation.trace?.detailed !== true) return { operation, node: undefined };
    if (operation.accessSaid || operation.purpose === "probe") return unruled(operation, "the caller said so");
    const rule = this.#rules.length === 0 ? undefined : this.#ruleFor(ruleCall(operation));
    if (rule !== undefined) return noted(ruled(operation, rule), `rule ${this.#rules.indexOf(rule)}`);
    const learned = this.#learned(operation);
    if (learned === operation) return unruled(operation, "by its text, or its kind");
    const why = learned.access === "write" ? "a standby has refused its text" : "its functions change nothing";
    return noted({ operation: learned, node: undefined }, why);
  }

  #ruleFor(call: RuleCall): CheckedRule | undefined {
    return this.#rules.find(({ fits }) => fits(call));
  }

  /** A standby refused a call that was taken for a read. */
  refused(operation: Operation<unknown>): void {
    const statement = textOf(operation);
    if (statement !== undefined && !operation.accessSaid) this.#refused.add(statement);
  }

  #learned<T>(operation: Operation<T>): Operation<T> {
    const statement = textOf(operation);
    if (statement === undefined) return operation;
    const { access } = operation;
    if (this.#refused.size > 0 && this.#refused.has(statement))
      return access === "read" ? { ...operation, access: "write" } : operation;
    if (access === "read" || this.#functions === undefined) return operation;
    return this.#functions.harmless(this.#dialect, statement) ? { ...operation, access: "read" } : operation;
  }
}

/** What a call is without anything that makes something else of it: written down in detail alone. */
function unruled<T>(operation: Operation<T>, why: string): Destination<T> {
  const destination = { operation, node: undefined };
  return operation.trace?.detailed === true ? noted(destination, why) : destination;
}

/** Writes down what a call is taken for, and why, where that is asked for. */
function noted<T>(destination: Destination<T>, why: string): Destination<T> {
  const { access, consistency, trace } = destination.operation;
  trace?.note("router", `taken for a ${access}`, { why, consistency, node: destination.node });
  return destination;
}

interface CheckedRule {
  readonly fits: CallMatcher;
  readonly to: string | undefined;
  readonly access: Access | undefined;
}

/** The text of a call that is for one statement: of a query, and of a stream of its rows. */
function textOf(operation: Operation<unknown>): string | undefined {
  return operation.kind === "transaction" ? undefined : operation.statement?.text;
}

function ruled<T>(operation: Operation<T>, { to, access }: CheckedRule): Destination<T> {
  const wanted = access ?? (to === "replica" ? "read" : operation.access);
  const consistency = to === "primary" ? "strong" : operation.consistency;
  const same = wanted === operation.access && consistency === operation.consistency;
  return {
    operation: same ? operation : { ...operation, access: wanted, consistency },
    node: to === "primary" || to === "replica" ? undefined : to,
  };
}

const RULE_OPTIONS = [...MATCH_OPTIONS, "functions", "to", "access"] as const;

/** @throws OptionError when a rule is none. */
function checkRule(rule: Rule, index: number, { functions: catalog }: Dialect): CheckedRule {
  const option = `router.rules[${index}]`;
  const { functions, to, access, ...match } = knownOptions(option, rule, RULE_OPTIONS);
  if (functions === undefined && Object.values(match).every((condition) => condition === undefined)) {
    throw new OptionError(option, rule, "an object with match, label, tenant or functions");
  }
  if (to === undefined && access === undefined) throw new OptionError(option, rule, "an object with to or access");
  if (to !== undefined) text(`${option}.to`, to);
  if (access !== undefined) oneOf(`${option}.access`, access, ["read", "write"]);
  const fits = callMatcher(option, match);
  if (functions === undefined) return { fits, to, access };
  if (!Array.isArray(functions) || functions.length === 0 || catalog === undefined)
    throw new OptionError(
      `${option}.functions`,
      functions,
      "an array of at least one name, of a database that has them",
    );
  const names = new Set(functions.map((name, at) => text(`${option}.functions[${at}]`, name)));
  const read = (access ?? (to === "replica" ? "read" : "write")) === "read";
  const calls = (called: readonly string[]): boolean =>
    read ? called.length > 0 && called.every((name) => names.has(name)) : called.some((name) => names.has(name));
  return { fits: (call) => call.text !== undefined && calls(catalog.undecided(call.text)) && fits(call), to, access };
}

/** Checks the option of the same name. */
export function lookUpFunctionsOf(value: boolean | undefined): boolean {
  return flag("router.lookUpFunctions", value ?? true);
}
