/**
 * Prints the figures of a long run.
 */
export function report(what: string, figures: unknown): void {
  process.stdout.write(`${what}\n  ${JSON.stringify(figures)}\n`);
}
