/**
 * What a caller may say of how statements go over the wire.
 */
import { knownOptions, OptionError, type Pipelining, positiveInteger, type Statement } from "@breakwater/core";
import { isPlain } from "./plain.ts";
import type { PrepareOption, Texts } from "./texts.ts";

/** How reads share connections. */
export interface PipelineOptions {
  /** Most reads under way on one connection. @default 32 */
  readonly depth?: number;
  /** Most connections that are shared at once. @default 4 */
  readonly connections?: number;
}

/** The options with their defaults. */
export interface WireOptions {
  readonly prepare: PrepareOption;
  readonly pipeline: { readonly depth: number; readonly connections: number } | undefined;
}

/** More values than this, in characters, are not put before others. */
const MAX_VALUES = 8_192;

/** @throws OptionError when an option is out of range. */
export function checkWire(prepare: PrepareOption = "auto", pipeline: boolean | PipelineOptions = true): WireOptions {
  if (prepare !== true && prepare !== false && prepare !== "auto")
    throw new OptionError("prepare", prepare, 'true, false or "auto"');
  if (pipeline === false) return { prepare, pipeline: undefined };
  if (pipeline !== true && (typeof pipeline !== "object" || pipeline === null))
    throw new OptionError("pipeline", pipeline, "true, false, or an object with depth or connections");
  const given = pipeline === true ? {} : knownOptions("pipeline", pipeline, ["depth", "connections"]);
  const depth = positiveInteger("pipeline.depth", given.depth ?? 32);
  const connections = positiveInteger("pipeline.connections", given.connections ?? 4);
  return { prepare, pipeline: { depth, connections } };
}

/** Which statements share connections: reads whose text has been seen to be quick, and that bring little with them. */
export function pipelining({ pipeline }: WireOptions, texts: Texts): Pipelining | undefined {
  if (pipeline === undefined) return undefined;
  return {
    ...pipeline,
    wayMs: () => texts.wayMs,
    fits: (statement: Statement) => {
      const { text, values } = statement;
      const known = texts.known(text);
      if (known === undefined || !known.reads || !known.quick) return false;
      return isPlain(statement) && (values === undefined || isSmall(values));
    },
  };
}

function isSmall(values: readonly unknown[]): boolean {
  let size = 0;
  for (const value of values) {
    if (typeof value === "string") size += value.length;
    else if (typeof value === "object" && value !== null && !(value instanceof Date)) return false;
  }
  return size <= MAX_VALUES;
}
