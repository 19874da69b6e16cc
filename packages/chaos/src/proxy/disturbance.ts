/** What is done to all that passes, and to all who come: several at the same time add up. */
import { booleanOf, integerIn, lineOf, numberIn, oneOf, onlyKnown, refusal } from "../check.ts";
import { CountedFault, type Fault } from "./fault.ts";
import { calm, type Direction, type Weather } from "./pump.ts";
import { checkSqlstate } from "./strike.ts";

/**
 * How new connections are refused: `reset`, `fin` (ended at once), or with an error as PostgreSQL sends it (severity FATAL), for
 * example `{ sqlstate: "53300", message: "sorry, too many clients already" }`.
 */
export type RefuseMode = "reset" | "fin" | { readonly sqlstate: string; readonly message: string };

/** What is done to all that passes, and to new connections; what is left out is not changed. */
export interface DisturbOptions {
  /** Which way, except for `refuse`. @default both */
  readonly direction?: Direction;
  /** Delays everything that arrives, in milliseconds; 0 to 60 000. Of several, the sum. @default 0 */
  readonly latencyMs?: number;
  /** Up to so much more, by the dice, in milliseconds; 0 to 60 000. Nothing overtakes. Of several, the sum. @default 0 */
  readonly jitterMs?: number;
  /** Source of the dice for `jitterMs`, from 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** Most bytes in a second, each way of each connection; from 1. Of several, the least. @default no limit */
  readonly bytesPerSecond?: number;
  /** Cuts what passes into pieces of at most so many bytes, each sent for itself; from 1. Of several, the least. @default not cut */
  readonly sliceBytes?: number;
  /** Delays the end of connections, by whichever side, in milliseconds; 0 to 60 000. Of several, the sum. @default 0 */
  readonly slowCloseMs?: number;
  /** Lets nothing pass, on connections old and new, without closing or losing anything. @default false */
  readonly freeze?: boolean;
  /** Turns new connections away. Of several, the newest. @default they are accepted */
  readonly refuse?: RefuseMode;
}

const options = ["direction", "latencyMs", "jitterMs", "random", "bytesPerSecond", "sliceBytes", "slowCloseMs"];
const longest = 60_000;

/** @throws RangeError */
export function checkDisturb(given: DisturbOptions): DisturbOptions {
  onlyKnown("disturb", given, [...options, "freeze", "refuse"]);
  const { direction, latencyMs, jitterMs, random, bytesPerSecond, sliceBytes, slowCloseMs, freeze, refuse } = given;
  if (direction !== undefined) oneOf("direction", direction, ["toServer", "toClient"]);
  for (const [name, value] of Object.entries({ latencyMs, jitterMs, slowCloseMs })) {
    if (value !== undefined) numberIn(name, value, 0, longest);
  }
  for (const [name, value] of Object.entries({ bytesPerSecond, sliceBytes })) {
    if (value !== undefined) integerIn(name, value, 1, Number.MAX_SAFE_INTEGER);
  }
  if (random !== undefined && typeof random !== "function") throw refusal("random", random, "a function");
  if (freeze !== undefined) booleanOf("freeze", freeze);
  if (refuse !== undefined) checkRefuse(refuse);
  return { ...given, ...(typeof refuse === "object" ? { refuse: { ...refuse } } : {}) };
}

/** @throws RangeError */
export function checkRefuse(mode: RefuseMode): RefuseMode {
  if (typeof mode !== "object" || mode === null) return oneOf("mode", mode, ["reset", "fin"]);
  onlyKnown("refuse", mode, ["sqlstate", "message"]);
  return { sqlstate: checkSqlstate(mode.sqlstate), message: lineOf("message", mode.message) };
}

interface Disturbance {
  readonly options: DisturbOptions;
  readonly fault: CountedFault;
}

export class Disturbances {
  readonly #changed: () => void;
  readonly #links: () => number;
  #list: readonly Disturbance[] = [];

  /**
   * @param changed called when the weather may be another.
   * @param links how many connections there are.
   */
  constructor(changed: () => void, links: () => number) {
    this.#changed = changed;
    this.#links = links;
  }

  add(given: DisturbOptions): Fault {
    const fault = new CountedFault({}, () => {
      this.#list = this.#list.filter((one) => one.fault !== fault);
      this.#changed();
    });
    const one = { options: checkDisturb(given), fault };
    this.#list = [...this.#list, one];
    this.#changed();
    if (disturbsLinks(one.options)) for (let link = this.#links(); link > 0; link--) fault.strikes();
    return fault;
  }

  /** How new connections are refused; counts them. */
  refusal(): RefuseMode | undefined {
    const one = this.#list.findLast(({ options: { refuse } }) => refuse !== undefined);
    one?.fault.strikes();
    return one?.options.refuse;
  }

  /** A connection has come, and is not refused. */
  arrived(): void {
    for (const { options: given, fault } of this.#list) if (disturbsLinks(given)) fault.strikes();
  }

  weather(direction: Direction): Weather {
    return this.#list
      .filter(({ options: given }) => given.direction === undefined || given.direction === direction)
      .reduce((weather, { options: given }) => together(weather, given), calm);
  }

  clear(): void {
    for (const { fault } of this.#list) fault.off();
  }
}

function disturbsLinks({ direction: _way, refuse: _refuse, random: _random, ...rest }: DisturbOptions): boolean {
  return Object.keys(rest).length > 0;
}

function together(weather: Weather, more: DisturbOptions): Weather {
  return {
    frozen: weather.frozen || more.freeze === true,
    latencyMs: weather.latencyMs + (more.latencyMs ?? 0),
    jitterMs: weather.jitterMs + (more.jitterMs ?? 0),
    random: more.random ?? weather.random,
    bytesPerSecond: Math.min(weather.bytesPerSecond, more.bytesPerSecond ?? Infinity),
    sliceBytes: Math.min(weather.sliceBytes, more.sliceBytes ?? Infinity),
    slowCloseMs: weather.slowCloseMs + (more.slowCloseMs ?? 0),
  };
}
