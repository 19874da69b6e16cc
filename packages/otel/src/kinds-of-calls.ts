/**
 * The attributes of a call, the same object for calls of the same kind.
 */
import type { Operation } from "@breakwater/core";
import { type Attributes, SpanKind } from "@opentelemetry/api";
import { ATTRIBUTE, systemOf } from "./attributes.ts";
import { BoundedNames, RecentTexts } from "./bounded-names.ts";
import { summaryOf } from "./summary.ts";

/** What is said of every call of a stack. */
export interface CallNames {
  readonly dialect: string;
  readonly namespace: string | undefined;
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** Most kinds of statements that are told apart. */
  readonly maxSummaries: number;
}

/** One kind of call. */
export interface CallKind {
  /** The span's name. */
  readonly name: string;
  /** What its span begins with, attributes that a sampler may look at among it. */
  readonly begun: { readonly kind: SpanKind; readonly attributes: Attributes };
  /** Of metrics: as few as tell the kind, since an SDK reads them anew at each measurement. */
  readonly measured: Attributes;
}

/** Most texts whose kind is remembered. */
const MAX_TEXTS = 2_000;
const MAX_LABELS = 100;

export class CallKinds {
  readonly ansiQuotes: boolean;
  readonly #common: Attributes;
  readonly #summaries: BoundedNames;
  readonly #labels = new BoundedNames(MAX_LABELS);
  // A kind is remembered by its label and its summary; a summary by the statement's text.
  readonly #byText: RecentTexts<CallKind>;
  readonly #kinds = new Map<string, CallKind>();
  readonly #maxKinds: number;

  constructor({ dialect, namespace, address, port, maxSummaries }: CallNames) {
    this.ansiQuotes = dialect !== "mysql" && dialect !== "mariadb";
    this.#common = {
      [ATTRIBUTE.system]: systemOf(dialect),
      ...(namespace !== undefined && { [ATTRIBUTE.namespace]: namespace }),
      ...(address !== undefined && { [ATTRIBUTE.address]: address }),
      ...(port !== undefined && { [ATTRIBUTE.port]: port }),
    };
    this.#summaries = new BoundedNames(maxSummaries);
    this.#maxKinds = 2 * (maxSummaries + MAX_LABELS);
    this.#byText = new RecentTexts(MAX_TEXTS);
  }

  of(operation: Operation<unknown>): CallKind {
    const { kind, label } = operation;
    const text = kind === "transaction" ? undefined : operation.statement?.text;
    const unlabelled =
      text === undefined || text === "" ? this.#kind(FUNCTIONS[kind], undefined) : this.#byText.get(text, this.#read);
    return label === undefined ? unlabelled : this.#labelled(unlabelled, this.#labels.of(label, "other"));
  }

  readonly #read = (text: string): CallKind => {
    const { operation, text: summary, table } = summaryOf(text, this.ansiQuotes);
    const known = this.#summaries.of(summary, operation);
    return this.#kind(known, known === summary ? table : undefined, operation);
  };

  #kind(summary: string, table: string | undefined, operation: string = summary): CallKind {
    const found = this.#kinds.get(summary);
    if (found !== undefined) return found;
    const measured = { ...this.#common, [ATTRIBUTE.operation]: operation, [ATTRIBUTE.summary]: summary };
    // The table stands in the summary.
    const attributes = table === undefined ? measured : { ...measured, [ATTRIBUTE.collection]: table };
    const made = { name: summary, begun: { kind: SpanKind.CLIENT, attributes }, measured };
    this.#kinds.set(summary, made);
    return made;
  }

  #labelled(kind: CallKind, label: string): CallKind {
    const { name, begun, measured } = kind;
    // No name has a line break.
    const key = `${label}\n${name}`;
    let found = this.#kinds.get(key);
    if (found === undefined) {
      // Labels times statements would be too many.
      if (this.#kinds.size >= this.#maxKinds) return kind;
      const labelled = { [ATTRIBUTE.label]: label };
      const attributes = { ...begun.attributes, ...labelled };
      found = { name, begun: { ...begun, attributes }, measured: { ...measured, ...labelled } };
      this.#kinds.set(key, found);
    }
    return found;
  }
}

/** What a call is called that is for no one statement. */
const FUNCTIONS = { query: "OTHER", transaction: "TRANSACTION", session: "SESSION" } as const;
