/**
 * One connection that listens: to which channels, and until when.
 */
import type { Clock } from "../waiting/clock.ts";
import type { NotificationTexts } from "../contract/dialect.ts";
import type { DriverNotification } from "../contract/driver.ts";
import type { Connection } from "../contract/pool.ts";
import { deferred } from "./deferred.ts";
import { unable } from "./row-stream.ts";

/** How often the connection is asked for a sign of life, in milliseconds: a link that is cut says nothing by itself. */
const CHECK_MS = 15_000;

/** What a line does for those who listen. */
export interface LineHost {
  readonly name: string;
  readonly clock: Clock;
  readonly texts: NotificationTexts;
  /** Channels that somebody listens to now. */
  wanted(): ReadonlySet<string>;
  /** These channels are listened to from now on. */
  listening(channels: ReadonlySet<string>): void;
  heard(notification: DriverNotification): void;
}

export class Line {
  readonly #host: LineHost;
  readonly #connection: Connection;
  readonly #channels = new Set<string>();
  readonly #end = deferred<void>();
  #telling: Promise<void> = Promise.resolve();
  #over = false;

  constructor(host: LineHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** Listens until the connection is lost or given up. */
  async run(): Promise<void> {
    const { name, clock } = this.#host;
    if (this.#connection.work === undefined) throw unable(name, "notifications");
    const deaf = await this.#connection.work({
      text: "",
      run: async (driver) =>
        driver.onNotification?.(
          (notification) => this.#host.heard(notification),
          (error) => this.lose(error),
        ),
    });
    if (deaf === undefined) throw unable(name, "notifications");
    const check = (): void => {
      this.#connection.query({ text: "SELECT 1" }).then(
        () => {
          if (!this.#over) timer = clock.setTimer(CHECK_MS, check, true);
        },
        (error: unknown) => this.lose(error),
      );
    };
    let timer = clock.setTimer(CHECK_MS, check, true);
    try {
      void this.update();
      await this.#end.promise;
    } finally {
      this.#over = true;
      timer.cancel();
      deaf();
      // Nobody else is to hear what it listens to.
      this.#connection.discard();
    }
  }

  /** Makes the connection listen to what is wanted, and to nothing else. Never rejects: what goes wrong ends the line. */
  update(): Promise<void> {
    this.#telling = this.#telling.then(() => this.#tell()).catch((error: unknown) => this.lose(error));
    return this.#telling;
  }

  /** Gives it up. */
  leave(): void {
    this.#over = true;
    this.#end.resolve();
  }

  lose(error: unknown): void {
    this.#over = true;
    this.#end.reject(error);
  }

  async #tell(): Promise<void> {
    const { texts } = this.#host;
    const wanted = this.#host.wanted();
    for (const channel of [...this.#channels].filter((each) => !wanted.has(each))) {
      if (this.#over) return;
      this.#channels.delete(channel);
      await this.#connection.query({ text: texts.unlisten(channel) });
    }
    for (const channel of [...wanted].filter((each) => !this.#channels.has(each))) {
      if (this.#over) return;
      await this.#connection.query({ text: texts.listen(channel) });
      this.#channels.add(channel);
    }
    if (!this.#over) this.#host.listening(this.#channels);
  }
}
