/**
 * The live view on a terminal: one frame over the other, in place, each in one write so that nothing flickers.
 */
import { frame } from "./frame.ts";
import { paint, wantsColours } from "./paint.ts";
import type { Scene } from "./scene.ts";
import type { Show } from "./show.ts";

const EVERY_MS = 200;
/** The frame needs so many columns and rows; in less than that lines would break, and the cursor could not find back. */
const COLUMNS = 80;
const ROWS = 26;

const HIDE_CURSOR = "\u001B[?25l";
const SHOW_CURSOR = "\u001B[?25h";
const TO_END_OF_LINE = "\u001B[K";
const TO_END_OF_SCREEN = "\u001B[J";

/** Whether an output is a terminal that the frame fits on. */
export function fits(output: NodeJS.WriteStream): boolean {
  return output.isTTY && output.columns >= COLUMNS && output.rows >= ROWS && process.env["TERM"] !== "dumb";
}

export function liveShow(scene: Scene, output: NodeJS.WriteStream): Show {
  const colours = paint(wantsColours(output));
  let drawn = 0;
  const draw = (): void => {
    // The window was made too small: the frame would break its lines and be drawn below itself.
    if (!fits(output)) return;
    const lines = frame(scene, colours);
    const back = drawn === 0 ? "" : `\r\u001B[${drawn}A`;
    output.write(`${back}${lines.map((line) => `${line}${TO_END_OF_LINE}\n`).join("")}${TO_END_OF_SCREEN}`);
    drawn = lines.length;
  };
  const showCursor = (): void => void output.write(SHOW_CURSOR);
  output.write(HIDE_CURSOR);
  // Whatever ends the process, the terminal gets its cursor back.
  process.once("exit", showCursor);
  const timer = setInterval(draw, EVERY_MS);
  return {
    phaseBegan: draw,
    happened: () => undefined,
    end() {
      clearInterval(timer);
      draw();
      showCursor();
      process.off("exit", showCursor);
    },
  };
}
