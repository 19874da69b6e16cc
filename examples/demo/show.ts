/**
 * Who shows the run: lines for a log, or a live view for a terminal.
 */
import { ms, percentile, seconds } from "./numbers.ts";
import type { Happening, Scene } from "./scene.ts";

export interface Show {
  /** A phase has begun. */
  phaseBegan(): void;
  happened(happening: Happening): void;
  /** Shows nothing more, and leaves the terminal as it was. */
  end(): void;
}

const EVERY_MS = 2_000;

/** One line per phase, per happening, and per two seconds. */
export function plainShow(scene: Scene, print: (line: string) => void): Show {
  const timer = setInterval(() => print(summary(scene)), EVERY_MS);
  return {
    phaseBegan() {
      const { phase, phases, phaseIndex } = scene;
      print(`== ${phaseIndex + 1}/${phases.length} ${phase?.name}: ${phase?.text}`);
    },
    happened: ({ atMs, text }) => print(`${seconds(atMs).padStart(6)} s  * ${text}`),
    end: () => clearInterval(timer),
  };
}

function summary(scene: Scene): string {
  const now = scene.now();
  const side = (name: "today" | "breakwater"): string => {
    const { ok, failed, unknown, latencies } = scene.records[name].second(Math.floor(now / 1_000) - 1);
    return `${ok} ok, ${failed} failed, ${unknown} unknown, p99 ${ms(percentile(latencies, 0.99))} ms`;
  };
  return `${seconds(now).padStart(6)} s  last second: pg.Pool ${side("today")} | breakwater ${side("breakwater")}`;
}
