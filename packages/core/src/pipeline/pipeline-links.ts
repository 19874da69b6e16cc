/**
 * The connections that reads share: those that take more, those that take no more, and those that are being ended.
 */
import type { PipelineLink } from "./pipeline-link.ts";

const NONE: readonly PipelineLink[] = [];

export class PipelineLinks {
  readonly #open: PipelineLink[] = [];
  // Links that take no more; they are given back when what is under way has ended.
  readonly #ending = new Set<PipelineLink>();
  readonly #returning = new Set<Promise<void>>();
  #unsent: PipelineLink[] = [];
  // How much was sent since everybody waited last, and whether it was but one statement the time before.
  #sent = 0;
  #lone = false;
  readonly #settle: () => void;
  #settling = false;

  /** `settle` is called, after `settleLater`, once everybody waits again. */
  constructor(settle: () => void) {
    this.#settle = () => {
      this.#settling = false;
      settle();
    };
  }

  /** How many take more. */
  get open(): number {
    return this.#open.length;
  }

  /** The one that has been there for longest, of those that take more. */
  get oldest(): PipelineLink | undefined {
    return this.#open[0];
  }

  /** The one with least to do, of those that take more and have something to do. */
  get least(): PipelineLink | undefined {
    let least: PipelineLink | undefined;
    for (const link of this.#open) if (link.load > 0 && (least === undefined || link.load < least.load)) least = link;
    return least;
  }

  /** One with nothing to do, of those that take more. */
  get idle(): PipelineLink | undefined {
    return this.#open.find(({ load }) => load === 0);
  }

  /** All on which something may be under way. */
  get all(): PipelineLink[] {
    return [...this.#open, ...this.#ending];
  }

  /** Whether none is being ended. */
  get back(): boolean {
    return this.#returning.size === 0;
  }

  /** How many are being ended, or will be: on those nobody waits for what is under way. */
  get returning(): number {
    return this.#returning.size + this.all.filter(({ left }) => left).length;
  }

  /** Whether it is one of those that take more. */
  takesMore(link: PipelineLink): boolean {
    return this.#open.includes(link);
  }

  add(link: PipelineLink): PipelineLink {
    this.#open.push(link);
    return link;
  }

  /** Something has been sent, `alone` when nothing else is under way: what is sent before everybody waits again leaves together. */
  sent(link: PipelineLink, alone: boolean): void {
    this.#sent += 1;
    // One caller who asks one thing after the other need not wait for others to send theirs.
    if (alone && this.#lone) {
      link.flush();
      return;
    }
    if (link.unsent) return;
    link.unsent = true;
    if (this.#unsent.length === 0) process.nextTick(this.#flush);
    this.#unsent.push(link);
  }

  /** Those with nothing to do, of those that take more, once everybody waits again. */
  settled(): readonly PipelineLink[] {
    if (this.#sent > 0) this.#lone = this.#sent === 1;
    this.#sent = 0;
    return this.#open.length === 0 ? NONE : this.#open.filter(({ load }) => load === 0);
  }

  /** Those who have their answers may ask for more: not before they have done so is it known who has nothing to do. */
  settleLater(): void {
    if (this.#settling) return;
    this.#settling = true;
    // A tick comes after all microtasks, if it is asked for by one of them.
    queueMicrotask(() => process.nextTick(this.#settle));
  }

  readonly #flush = (): void => {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const link of unsent) link.flush();
  };

  /** Takes a link out of use; it goes back when what is under way has ended. */
  retire(link: PipelineLink): void {
    const at = this.#open.indexOf(link);
    if (at === -1) return;
    this.#open.splice(at, 1);
    this.#ending.add(link);
  }

  /** Takes it out for good. False when it was no more. */
  remove(link: PipelineLink): boolean {
    const at = this.#open.indexOf(link);
    if (at !== -1) this.#open.splice(at, 1);
    return this.#ending.delete(link) || at !== -1;
  }

  /** Gives back the connection of a link that has nothing to do; `freed` is called when others may have its place. */
  giveBack(link: PipelineLink, freed: () => void): void {
    if (!this.remove(link)) return;
    if (link.connection.usable) {
      link.connection.release();
      freed();
    } else this.destroy(link, false, freed);
  }

  /** Ends the connection of a link that was taken out. It may take a moment to be `gone`; until then its place is taken. */
  destroy(link: PipelineLink, cancel: boolean, gone: () => void): void {
    link.over = true;
    const ended = link.connection.destroy(cancel).then(() => {
      this.#returning.delete(ended);
      gone();
    });
    this.#returning.add(ended);
  }

  /** Resolves when those that were ended are gone. */
  gone(): Promise<unknown> {
    return Promise.all(this.#returning);
  }
}
