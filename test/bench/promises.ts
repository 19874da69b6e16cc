/** What must hold on any machine: far below what is measured on a quiet one, so that a loaded one does not fail it. */
import { type BulkRow, EXECUTE_MANY } from "./bulk.ts";
import type { Row, Table } from "./measure.ts";

type Promised = (tables: readonly Table[], bulk: readonly BulkRow[] | undefined) => string[];

const PRESET = "Breakwater, preset";

function atLeast(name: string, callers: number, least: number, client = PRESET): Promised {
  return (tables) => check(tables, name, callers, client, ({ perSecond }) => perSecond.median, least, 1);
}

function atMost(key: keyof Row["ratios"], callers: number, most: number): Promised {
  return (tables) => check(tables, "point", callers, PRESET, (ratios) => ratios[key].median, most, -1);
}

export const PROMISES: readonly Promised[] = [
  atLeast("point", 1, 0.9),
  atLeast("point", 16, 1.5),
  atLeast("point", 64, 2),
  atMost("clientCpu", 64, 0.6),
  atMost("serverCpu", 64, 0.7),
  atLeast("range", 16, 0.9),
  atLeast("point", 16, 0.7, "Breakwater, pipeline: false"),
  atLeast("point", 16, 0.6, "Breakwater, asPgPool"),
  atLeast("write", 1, 0.5),
  (_, bulk) => {
    const ratio = bulk?.find(({ way }) => way === EXECUTE_MANY)?.ratio.median;
    return ratio === undefined || ratio >= 5 ? [] : [`executeMany: ${ratio.toFixed(1)}, promised 5`];
  },
];

function check(
  tables: readonly Table[],
  name: string,
  callers: number,
  client: string,
  of: (ratios: Row["ratios"]) => number,
  bound: number,
  sign: 1 | -1,
): string[] {
  const row = tables
    .find((table) => table.name === name && table.callers === callers)
    ?.rows.find((one) => one.client === client);
  if (row === undefined) return [];
  const ratio = of(row.ratios);
  // What could not be measured here is no broken promise.
  if (Number.isNaN(ratio) || sign * ratio >= sign * bound) return [];
  return [`${name}, ${callers} callers, ${client}: ${ratio.toFixed(2)}, promised ${bound}`];
}
