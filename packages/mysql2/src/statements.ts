/**
 * Statements as one connection of mysql2 takes them.
 */
import { Sql, type Statement } from "@breakwater/core";
import { mysqlStyle } from "@breakwater/mysql";
import type { Mysql2Statement } from "./types.ts";
import { bindable } from "./values.ts";

/** A statement with the marks that MySQL has for values. */
export type Rendered = Statement & { readonly values: readonly unknown[] };

/** Writes a statement as MySQL has it. */
export function rendered(statement: Statement): Rendered {
  const { text, values = [] } = statement instanceof Sql ? statement.render(mysqlStyle) : statement;
  return { ...statement, text, values };
}

export class Statements {
  readonly #prepare: boolean;
  readonly #names = new Map<string, string>();

  /** `prepare`: values travel beside the text. */
  constructor(prepare: boolean) {
    this.#prepare = prepare;
  }

  /** How mysql2 takes it. @throws what cannot be sent, and Error when the name is another text's. */
  given({ text, name, values, rowMode }: Rendered): { readonly prepared: boolean; readonly given: Mysql2Statement } {
    const prepared = name !== undefined || (this.#prepare && values.length > 0);
    const bound = bindable(values, !prepared);
    if (name !== undefined) this.#claim(name, text);
    const given = { sql: text, values: bound, rowsAsArray: rowMode === "array" };
    return { prepared, given: prepared || values.length > 0 ? given : { ...given, values: undefined as never } };
  }

  /** A new session knows no names. */
  forget(): void {
    this.#names.clear();
  }

  /** @throws Error when the name is another text's already: who uses it means that one. */
  #claim(name: string, text: string): void {
    const known = this.#names.get(name);
    if (known !== undefined && known !== text)
      throw new Error(`prepared statement "${name}" has another text on this connection`);
    this.#names.set(name, text);
  }
}
