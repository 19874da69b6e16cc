/**
 * What may be changed in a running stack: every policy's limits, found by name.
 */
import { OptionError } from "./errors.ts";
import type { Events } from "./events.ts";
import { knownOptions } from "./options.ts";

/** Options by name. */
export type ControlOptions = Readonly<Record<string, unknown>>;

/** What a policy lets be done to it while it works. `adjustable` makes the usual one. */
export interface PolicyControl {
  /** The options that may be changed, as they are now. */
  options(): ControlOptions;
  /** Changes some of them, all or none; what was counted and who waits stays. @throws OptionError when one is out of range. */
  configure(changes: ControlOptions): void;
  /** What else can be done, by name. */
  readonly actions?: Readonly<Record<string, (...values: never[]) => unknown>>;
}

/** How the options of one policy are checked, and what follows from new ones. */
export interface Adjustable<Options extends object> {
  /** Stands before the options' names in errors, such as `retry`. */
  readonly owner: string;
  /** The options with every default filled in. */
  readonly options: Options;
  /** Which of them may be changed. */
  readonly names: readonly (keyof Options & string)[];
  /** The check that the policy makes at its construction. */
  readonly check: (options: never) => Options;
  /** Takes over new options. */
  readonly apply: (options: Options) => void;
  /** What else can be done with it by name, such as `isolate`. @default nothing */
  readonly actions?: PolicyControl["actions"];
}

/**
 * The control of a policy whose options hold together: new ones are checked as those of its construction were, with what
 * stays of them, before any is taken over. An option that is `undefined` stays as it is.
 */
export function adjustable<Options extends object>(policy: Adjustable<Options>): PolicyControl {
  const { owner, names, check, apply, actions = {} } = policy;
  let { options } = policy;
  return {
    options: () => Object.fromEntries(names.map((name) => [name, options[name]])),
    configure: (changes) => {
      options = check({ ...options, ...said(knownOptions<ControlOptions>(owner, changes, names)) } as never);
      apply(options);
    },
    actions,
  };
}

/** The options that are not `undefined`. */
function said(options: ControlOptions): ControlOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** A hand on one policy of a running stack. */
export class Control {
  /** Differs from all others in the stack: `retry`, `timeout#2` for the second from outside, `db2/circuit-breaker` behind a router. */
  readonly name: string;
  /** The policy's own name. */
  readonly policy: string;
  /** Name of the pool that it stands around. */
  readonly pool: string;
  readonly #part: PolicyControl;
  readonly #events: Events;

  constructor(
    name: string,
    of: { readonly policy: string; readonly pool: string; readonly events: Events },
    part: PolicyControl,
  ) {
    this.name = name;
    this.policy = of.policy;
    this.pool = of.pool;
    this.#part = part;
    this.#events = of.events;
  }

  /** The options that may be changed, as they are now. */
  options(): ControlOptions {
    return Object.freeze({ ...this.#part.options() });
  }

  /**
   * Changes options while calls run: all of these or, when one is wrong, none. What is left out stays, and so does what the
   * policy has counted and who waits in it.
   * @throws OptionError when an option is unknown, may not be changed, or is out of range.
   */
  configure(changes: ControlOptions): void {
    if (typeof changes !== "object" || changes === null) {
      throw new OptionError(this.name, changes, "an object of options");
    }
    this.#part.configure(changes);
    const now = this.#part.options();
    const options = Object.freeze(Object.fromEntries(Object.keys(changes).map((name) => [name, now[name]])));
    this.#events.emit("control:changed", { pool: this.pool, control: this.name, options });
  }

  /** What else can be done, by name. */
  get actions(): readonly string[] {
    return Object.keys(this.#part.actions ?? {});
  }

  /**
   * Does it: `act("isolate")`, `act("drain", "db2")`. Returns what the action returns.
   * @throws OptionError when there is no action of that name.
   */
  act(action: string, ...values: readonly unknown[]): unknown {
    const actions = this.#part.actions ?? {};
    if (!Object.hasOwn(actions, action)) {
      throw new OptionError(`${this.name} action`, action, `one of ${Object.keys(actions).join(", ") || "none"}`);
    }
    return (actions[action] as (...values: readonly unknown[]) => unknown)(...values);
  }

  /** The same hand under another name. */
  as(name: string): Control {
    return new Control(name, { policy: this.policy, pool: this.pool, events: this.#events }, this.#part);
  }
}

/** What has controls: a pool. */
interface Controlled {
  readonly controls?: () => readonly Control[];
}

/** All controls of a running stack. Nodes that come and go bring theirs and take them away. */
export class Controls {
  readonly #pool: Controlled;

  constructor(pool: Controlled) {
    this.#pool = pool;
  }

  /** All of them, in the order in which a call meets the policies; those behind a router node by node. */
  list(): readonly Control[] {
    const seen = new Map<string, number>();
    return (this.#pool.controls?.() ?? []).map((control) => {
      const number = (seen.get(control.name) ?? 0) + 1;
      seen.set(control.name, number);
      return number === 1 ? control : control.as(`${control.name}#${number}`);
    });
  }

  /** The one of that name. @throws OptionError when there is none. */
  get(name: string): Control {
    const all = this.list();
    const found = all.find((control) => control.name === name);
    if (found !== undefined) return found;
    throw new OptionError("control", name, `one of ${all.map((control) => control.name).join(", ") || "none"}`);
  }
}

/** The controls of the stack whose outermost pool is `pool`; a `Database` has them as `controls`. */
export function controlsOf(pool: Controlled): Controls {
  return new Controls(pool);
}
