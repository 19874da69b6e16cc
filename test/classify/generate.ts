/**
 * Makes SQL that tries to deceive: every clause that puts a name before a parenthesis, key words as names, names as aliases
 * and functions alike, all kinds of quoting, comments between any two tokens.
 */
import { functionNames, names, quoted, relations, safe, strings, types, unsafe } from "./deceptive-names.ts";
import type { Tape } from "./tape.ts";

/** Makes SQL from a tape. */
export class Generator {
  private readonly tape: Tape;
  /** How much deeper the text may still nest. */
  private room = 5;

  constructor(tape: Tape) {
    this.tape = tape;
  }

  /** One text of one or more statements, as tokens with single blanks between. */
  text(): string {
    const { tape } = this;
    let text = this.statement();
    if (tape.rarely(12)) text = `( ${text} )`;
    while (tape.rarely(12)) text += ` ; ${this.statement()}`;
    if (tape.rarely(10)) text += " ;";
    return text;
  }

  private statement(): string {
    switch (this.tape.below(16)) {
      case 9:
        return `explain ${this.tape.pick(["", "analyze", "verbose", "( analyze , format json )", "( analyze false )", "analyze verbose"])} ${this.statement()}`;
      case 10:
        return this.change();
      case 11:
        return this.tape.pick([
          "show search_path",
          "set x = 1",
          "begin",
          "commit",
          "listen x",
          "notify x",
          "create table t ( a int )",
          "create temp table t ( a int )",
          "create or replace temp view v as select 1",
          "create table x as select 1",
          "lock table t",
          "prepare p as select 1",
          "execute p",
          "declare c cursor for select 1",
          "fetch next from c",
          "do $$ begin end $$",
          "call f ( 1 )",
          "copy t to stdout",
          "vacuum",
          "refresh materialized view v",
          "discard all",
          "reset x",
          "deallocate p",
          "grant select on t to x",
          "comment on table t is 'x'",
          "truncate t",
          "",
        ]);
      default:
        return this.query();
    }
  }

  private change(): string {
    const { tape } = this;
    return tape.pick([
      `insert into ${this.name()} values ( ${this.expression()} )`,
      `insert into t ( a ) ${this.query()}`,
      `update ${this.name()} set a = ${this.expression()} where ${this.expression()} returning *`,
      `delete from ${this.name()} where ${this.expression()}`,
      `delete from t`,
      `merge into t using x on true when matched then delete`,
    ]);
  }

  /** A SELECT, VALUES or TABLE with what may stand around it. */
  query(): string {
    if (this.room <= 0 || this.tape.exhausted) return "select 1";
    this.room--;
    const { tape } = this;
    let text = "";
    if (tape.rarely(6)) text += `with ${tape.rarely(3) ? "recursive " : ""}${this.list(() => this.common(), 2)} `;
    if (text !== "" && tape.rarely(6)) text += this.change();
    else {
      text += this.simple();
      while (tape.rarely(8)) text += ` ${tape.pick(["union", "union all", "intersect", "except"])} ${this.simple()}`;
      if (tape.rarely(5))
        text += ` order by ${this.list(() => this.expression(), 2)} ${tape.pick(["", "desc", "nulls last", "using <", "using operator ( pg_catalog.< )"])}`;
      if (tape.rarely(8)) text += ` limit ${this.expression()}`;
      if (tape.rarely(10)) text += ` offset ${this.expression()}`;
      if (tape.rarely(10)) text += ` fetch ${tape.pick(["first", "next"])} ( ${this.expression()} ) rows only`;
      if (tape.rarely(12))
        text += ` for ${tape.pick(["update", "share", "no key update", "key share", "update of t nowait", "read only"])}`;
    }
    this.room++;
    return text;
  }

  private common(): string {
    const { tape } = this;
    const body = tape.rarely(6) ? this.change() : this.query();
    return `${this.name()} ${tape.pick(["", "( a , b )", "( x )"])} as ${tape.pick(["", "materialized", "not materialized"])} ( ${body} ) ${tape.rarely(10) ? tape.pick(["search depth first by a , b set c", "cycle a set is_cycle using path", "cycle a set c to true default false using values"]) : ""}`;
  }

  private simple(): string {
    const { tape } = this;
    switch (tape.below(14)) {
      case 11:
        return `values ( ${this.list(() => this.expression(), 3)} ) , ( ${this.expression()} )`;
      case 12:
        return `table ${tape.pick(relations)}`;
      case 13:
        return `( ${this.query()} )`;
      default:
    }
    let text = `select ${tape.pick(["", "", "", "", "all", "distinct", `distinct on ( ${this.expression()} )`])} `;
    text += this.list(() => `${this.expression()} ${tape.pick(["", "", "", `as ${this.label()}`, this.name()])}`, 3);
    if (tape.rarely(15))
      text += ` into ${tape.pick(["", "temp", "temporary table", "table", "local temp"])} ${this.name()}`;
    if (tape.below(4) > 0) text += ` from ${this.list(() => this.item(), 2)}`;
    if (tape.rarely(2)) text += ` where ${this.expression()}`;
    if (tape.rarely(4))
      text += ` group by ${tape.pick(["", "", "all", "distinct"])} ${this.list(() => this.grouping(), 3)}`;
    if (tape.rarely(8)) text += ` having ${this.expression()}`;
    if (tape.rarely(10)) text += ` window w as ( partition by ${this.expression()} order by ( ${this.expression()} ) )`;
    return text;
  }

  private grouping(): string {
    const list = (): string => this.list(() => this.expression(), 2);
    return this.tape.pick([
      () => this.expression(),
      () => "( )",
      () => `rollup ( ${list()} )`,
      () => `cube ( ${list()} )`,
      () => `grouping sets ( ${list()} , rollup ( ${list()} ) , grouping sets ( cube ( ${list()} ) ) )`,
      () => `( ${list()} )`,
    ])();
  }

  private item(): string {
    const { tape } = this;
    let text: string;
    switch (tape.below(10)) {
      case 5:
        text = `( ${this.query()} )`;
        break;
      case 6:
        text = `${tape.pick(["", "lateral"])} ${this.call()} ${tape.pick(["", "with ordinality"])}`;
        break;
      case 7:
        text = `rows from ( ${this.call()} , ${this.call()} )`;
        break;
      case 8:
        text = `${tape.pick(["", "only"])} ${tape.pick(relations)}`;
        break;
      default:
        text = this.name();
    }
    text += ` ${tape.pick(["", "", this.name(), `as ${this.name()}`, `${this.name()} ( a , b )`, `as ${this.name()} ( a , b )`, `as ( a int , b numeric(10,2) )`])}`;
    if (tape.rarely(12))
      text += ` tablesample ${tape.pick(["bernoulli", "system", "my_sampler", "system_rows"])} ( 10 ) ${tape.pick(["", "repeatable ( 3 )"])}`;
    if (tape.rarely(5) && this.room > 0 && !tape.exhausted) {
      this.room--;
      const kind = tape.pick([
        "join",
        "left join",
        "inner join",
        "full outer join",
        "right join",
        "cross join",
        "natural join",
      ]);
      text += ` ${kind} ${this.item()}`;
      if (!/cross|natural/.test(kind))
        text += ` ${tape.rarely(3) ? `using ( id ) ${tape.rarely(3) ? `as ${this.name()}` : ""}` : `on ${this.expression()}`}`;
      this.room++;
    }
    return text;
  }

  private expression(): string {
    const { tape } = this;
    if (this.room <= 0 || tape.exhausted) return tape.pick(["1", "a", "$1", "'x'"]);
    this.room--;
    const e = (): string => this.expression();
    const q = (): string => this.query();
    const text = tape.pick<() => string>([
      () => this.operand(),
      () => this.operand(),
      () => this.operand(),
      () => this.call(),
      () => this.call(),
      () =>
        `${e()} ${tape.pick(["+", "=", "||", "->>", "@>", "<", "and", "or", "%", "*", "is distinct from", "overlaps"])} ${e()}`,
      () => `${this.operand()} operator ( ${tape.pick(["pg_catalog.+", "=", "public.@@"])} ) ${e()}`,
      () => `${this.operand()} :: ${tape.pick(types)}`,
      () => `cast ( ${e()} as ${tape.pick(types)} )`,
      () => `( ${e()} )`,
      () => `( ${q()} )`,
      () => `not ${e()}`,
      () => `${this.operand()} ${tape.pick(["", "not"])} in ( ${e()} , ${e()} )`,
      () => `${this.operand()} ${tape.pick(["in", "= any", "= all", "not in"])} ( ${q()} )`,
      () =>
        `${this.operand()} ${tape.pick(["like", "not like", "ilike", "not ilike", "similar to"])} ${tape.pick(["", "("])} ${e()}`.replace(
          /\( (.*)$/,
          "( $1 )",
        ),
      () => `${this.operand()} like ${e()} escape ${tape.pick(["'\\'", "'!'", this.call()])}`,
      () => `${this.operand()} between ${e()} and ${e()}`,
      () => `${this.operand()} at time zone ${tape.pick(["'utc'", this.call(), `( ${e()} )`])}`,
      () => `${this.operand()} is ${tape.pick(["null", "not null", "true", "json", "document"])}`,
      () => `exists ( ${q()} )`,
      () => `array ( ${q()} )`,
      () => `array [ ${e()} , ${e()} ]`,
      () => `a [ ${e()} : ${e()} ]`,
      () => `row ( ${e()} , ${e()} )`,
      () => `case ${tape.pick(["", "a"])} when ${e()} then ${e()} else ${e()} end`,
      () => `extract ( epoch from ${e()} )`,
      () => `substring ( ${e()} from ${e()} for ${e()} )`,
      () => `position ( 'a' in ${this.operand()} )`,
      () => `overlay ( 'a' placing 'b' from ${this.operand()} )`,
      () => `trim ( ${tape.pick(["", "leading", "both"])} ${this.operand()} from ${this.operand()} )`,
      () => `${tape.pick(["coalesce", "nullif", "greatest"])} ( ${e()} , ${e()} )`,
      () =>
        tape.pick([
          "interval '1' day",
          "interval (3) '1'",
          "date '2020-01-01'",
          "current_timestamp (3)",
          "current_user",
          "numeric (3) '1'",
          "interval '1' second (2)",
        ]),
      () => `( ${e()} ) . ${this.label()}`,
      () => `( ${this.operand()} ) . ${tape.pick(unsafe)}`,
      () => `${this.name()} . ${this.label()}`,
      () => `${this.name()} . ${tape.pick(["nextval", '"nextval"', "last_value", "is_called", "set_config"])}`,
      () => `json_object ( 'k' value ${e()} )`,
      () =>
        `json_value ( ${this.operand()} , '$.a' passing ${this.operand()} as x returning numeric(10,2) default ${this.call()} on empty )`,
      () => `json_arrayagg ( ${this.operand()} order by ${e()} )`,
      () => `xmlelement ( name foo , xmlattributes ( ${e()} as bar ) , ${e()} )`,
      () => `xmlserialize ( content ${e()} as text )`,
      () => `xmlexists ( '/x' passing ${e()} )`,
      () => `collation for ( ${e()} )`,
      () => `grouping ( a )`,
      () => `${this.operand()} collate "C"`,
      () => `last_value ( ${e()} ) over ( )`,
    ])();
    this.room++;
    return text;
  }

  private call(): string {
    const { tape } = this;
    const name = tape.pick([
      () => tape.pick(safe),
      () => tape.pick(safe),
      () => this.name(),
      () => tape.pick(unsafe),
      () => tape.pick(functionNames),
      () => `${this.name()} . ${this.name()}`,
      () => tape.pick(quoted),
    ])();
    const arguments_ = tape.pick(["", "*", "1", "distinct a", "variadic b", "x => 1", "a order by b"]);
    let text = `${name} ( ${tape.below(2) === 0 ? this.expression() : arguments_} )`;
    if (tape.rarely(12)) text += ` within group ( order by ${this.expression()} )`;
    if (tape.rarely(10)) text += ` filter ( where ${this.expression()} )`;
    if (tape.rarely(8))
      text += ` over ${tape.pick(["w", "( )", `( w partition by ( ${this.expression()} ) order by a rows between 1 preceding and ${this.operand()} following )`])}`;
    return text;
  }

  private operand(): string {
    const { tape } = this;
    return tape.pick([
      () => "1",
      () => this.name(),
      () => tape.pick(strings),
      () => "$1",
      () => tape.pick(["1.5", "1e5", ".5", "0x1F", "1_000", "1."]),
      () => `${this.name()} . ${this.name()}`,
      () => tape.pick(["true", "null", "current_date", "user"]),
    ])();
  }

  private name(): string {
    return this.tape.rarely(8) ? this.tape.pick(quoted) : this.tape.pick(names);
  }

  /** A name after AS or a dot: any word will do. */
  private label(): string {
    return this.tape.pick([
      "x",
      "a",
      "into",
      "select",
      "for",
      "with",
      "update",
      "with",
      "last_value",
      "from",
      "insert",
    ]);
  }

  private list(make: () => string, most: number): string {
    let text = make();
    for (let count = 1; count < most && this.tape.rarely(3); count++) text += ` , ${make()}`;
    return text;
  }
}
