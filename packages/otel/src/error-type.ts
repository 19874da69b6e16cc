/**
 * What kind of error it was: a code, never a message.
 */
import { told } from "@breakwater/core";
import type { BoundedNames } from "./bounded-names.ts";

/** What stands for the kinds that are not told apart. */
const OTHER = "_OTHER";
const SQLSTATE = /^[0-9A-Z]{5}$/;
const CODE = /^[A-Z][A-Z0-9_]{2,62}$/;

/** The kind of an error, and the SQLSTATE where it is the database's. */
export function errorTypeOf(
  error: unknown,
  known: BoundedNames,
): { readonly type: string; readonly status: string | undefined } {
  const { code, name } = told(error);
  const { syscall } = (typeof error === "object" && error !== null ? error : {}) as { readonly syscall?: unknown };
  if (code !== undefined && SQLSTATE.test(code) && syscall === undefined) {
    const state = known.of(code, OTHER);
    return { type: state, status: state === OTHER ? undefined : state };
  }
  const type = code !== undefined && CODE.test(code) ? code : name;
  return { type: known.of(type.slice(0, 64), OTHER), status: undefined };
}
