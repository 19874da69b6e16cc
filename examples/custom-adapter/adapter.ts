/** An adapter written outside the project: open, run, cancel and close one connection; the rest is core's. */
import {
  checkLifecycle,
  type ConnectionHome,
  ConnectionStore,
  type DriverConnection,
  driverPool,
  type LifecycleOptions,
  type Pool,
  type QueryResult,
  type Statement,
  systemClock,
  type TransactionStatus,
} from "@breakwater/core";
import { postgres } from "@breakwater/postgres";
import { Toy, type ToyResult } from "./toy.ts";

const STATUS: Readonly<Record<string, TransactionStatus>> = { I: "idle", T: "open", E: "failed" };

export type ToySource = { readonly host: string; readonly port: number; readonly startup: Record<string, string> };

type ToyOptions = LifecycleOptions & { readonly acquireTimeoutMs?: number };

/** Makes a pool of what the toy connects with. */
export function fromToy(source: ToySource, options: ToyOptions = {}): Pool {
  const { acquireTimeoutMs = 10_000, ...lifecycle } = options;
  const open = async (home: ConnectionHome | undefined, givenUp: AbortSignal): Promise<DriverConnection> =>
    new ToyConnection(await Toy.open(source.port, source.host, source.startup, givenUp), home);
  const store = { ...checkLifecycle(lifecycle), name: "toy", clock: systemClock, validationText: "SELECT 1" };
  return driverPool(new ConnectionStore({ open }, store), postgres, { name: "toy", acquireTimeoutMs });
}

class ToyConnection implements DriverConnection {
  readonly driver: Toy;
  readonly #home: ConnectionHome | undefined;
  #held = true;
  #refusal: unknown;

  constructor(driver: Toy, home: ConnectionHome | undefined) {
    this.driver = driver;
    this.#home = home;
    driver.onNotice = (notice) => home?.notice(notice);
    driver.onLost = (error) => void (this.#held || home?.lost(this, error));
  }

  async query<Row>({ text, values, rowMode }: Statement): Promise<QueryResult<Row>> {
    const results = (await this.#send(text, values)).map((result) => asQueryResult(result, rowMode === "array"));
    return (results.length === 1 ? results[0] : results) as QueryResult<Row>;
  }

  #send(text: string, values: readonly unknown[] | undefined): Promise<ToyResult[]> {
    try {
      return this.driver.query(text, values);
    } catch (error) {
      // The values cannot be sent, so nothing has been.
      throw (this.#refusal = error);
    }
  }

  get usable(): boolean {
    return !this.driver.lost;
  }

  get transactionStatus(): TransactionStatus {
    return STATUS[this.driver.status] ?? "unknown";
  }

  refused(error: unknown): boolean {
    return this.#refusal === error;
  }

  taken(): void {
    this.#held = true;
  }

  readonly reset = async (): Promise<void> => void (await this.query({ text: "DISCARD ALL" }));

  release(): void {
    this.#held = false;
    this.#home?.released(this);
  }

  async destroy(cancel: boolean): Promise<void> {
    if (cancel && this.usable) await this.driver.cancel();
    this.#home?.gone(this);
    await this.driver.destroy();
  }
}

function asQueryResult({ columns, rows, tag }: ToyResult, asArrays: boolean): QueryResult {
  const [, command = "", count] = /^(\D*?)(?: \d+)*?(?: (\d+))?$/.exec(tag) ?? [];
  const object = (row: unknown[]): object => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]]));
  return {
    rows: (asArrays ? rows : rows.map(object)) as never[],
    rowCount: count === undefined ? null : Number(count),
    command,
    fields: columns.map(({ name, type }) => ({ name, dataTypeID: type })),
  };
}
