/**
 * The connections that reads share: those that take more, those that take no more, and those that are being ended.
 */
import type { PipelineLink } from "./pipeline-link.ts";

export class PipelineLinks {
  readonly #open: PipelineLink[] = [];
  // Links that take no more; they are given back when what is under way has ended.
  readonly #ending = new Set<PipelineLink>();
  readonly #returning = new Set<Promise<void>>();
  #unsent: PipelineLink[] = [];

  /** How many take more. */
  get open(): number {
    return this.#open.length;
  }

  /** The one that has been there for longest, of those that take more. */
  get oldest(): PipelineLink | undefined {
    return this.#open[0];
  }

  /** The one with least to do, of those that take more. */
  get least(): PipelineLink | undefined {
    let least: PipelineLink | undefined;
    for (const link of this.#open) if (least === undefined || link.load < least.load) least = link;
    return least;
  }

  /** All on which something may be under way. */
  get all(): PipelineLink[] {
    return [...this.#open, ...this.#ending];
  }

  /** Whether none is on its way back. */
  get back(): boolean {
    return this.#returning.size === 0;
  }

  add(link: PipelineLink): void {
    this.#open.push(link);
  }

  /** What has been sent before everybody waits again leaves together. */
  flushLater(link: PipelineLink): void {
    link.unsent = true;
    if (this.#unsent.length === 0) process.nextTick(this.#flush);
    this.#unsent.push(link);
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
