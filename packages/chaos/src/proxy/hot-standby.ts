/** What a session's client has been told of `in_hot_standby`, which servers report by themselves from PostgreSQL 14 on. */
import { CountedFault, type Fault } from "./fault.ts";
import { cString, parameterStatus } from "./messages.ts";

const setting = "in_hot_standby";
const header = 5;

export class HotStandby {
  /** What the server said last. */
  #said: string | undefined;
  /** What the client heard last. */
  #heard: string | undefined;

  /** What goes in the place of the server's word. @returns undefined: the word passes. */
  says(bytes: Buffer, pretended: boolean | undefined): Buffer | undefined {
    if (cString(bytes, header) !== setting) return undefined;
    this.#said = cString(bytes, header + setting.length + 1);
    this.#heard = pretended === undefined ? this.#said : shown(pretended);
    return pretended === undefined ? undefined : parameterStatus(setting, this.#heard);
  }

  /** What the client has to be told now; undefined: nothing, it knows. */
  news(pretended: boolean | undefined): Buffer | undefined {
    // A server that does not report it is taken for a primary once the pretence is over.
    const truth = this.#said ?? (this.#heard === undefined ? undefined : "off");
    const wanted = pretended === undefined ? truth : shown(pretended);
    if (wanted === undefined || wanted === this.#heard) return undefined;
    this.#heard = wanted;
    return parameterStatus(setting, wanted);
  }
}

function shown(on: boolean): string {
  return on ? "on" : "off";
}

/** What clients are told instead of the truth: of several pretences, the newest decides. */
export class Pretences {
  readonly #tell: () => number;
  #list: readonly { readonly standby: boolean; readonly fault: CountedFault }[] = [];

  /** @param tell has every connection look again; gives back for how many there was news. */
  constructor(tell: () => number) {
    this.#tell = tell;
  }

  get standby(): boolean | undefined {
    return this.#list.at(-1)?.standby;
  }

  add(standby: boolean): Fault {
    const fault = new CountedFault({}, () => {
      this.#list = this.#list.filter((one) => one.fault !== fault);
      this.#tell();
    });
    this.#list = [...this.#list, { standby, fault }];
    for (let told = this.#tell(); told > 0; told--) fault.strikes();
    return fault;
  }

  /** A connection has come that will be told. */
  arrived(): void {
    this.#list.at(-1)?.fault.strikes();
  }

  clear(): void {
    for (const { fault } of this.#list) fault.off();
  }
}
