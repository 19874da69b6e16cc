/**
 * Lets events happen one after another, each followed by everything that its promises settle.
 *
 * Node.js runs ticks only when no microtask is left. So the next event is a tick that is asked for by a microtask: whatever
 * the last event has set going, however many promises deep, has come to rest before. No turn of the event loop is needed
 * for that, which is what makes millions of events a minute possible; now and then one is made, so that the process can
 * do other things beside.
 */

/** Events between two turns of the event loop. */
const AT_ONCE = 2_000;

/** Calls `step` until it returns false. Rejects with what `step` throws. */
export function drive(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = AT_ONCE;
    const tick = (): void => {
      let more: boolean;
      try {
        more = step();
      } catch (error) {
        reject(error);
        return;
      }
      left -= 1;
      if (!more) setImmediate(resolve);
      else if (left > 0) queueMicrotask(ask);
      else {
        left = AT_ONCE;
        setImmediate(tick);
      }
    };
    const ask = (): void => process.nextTick(tick);
    setImmediate(tick);
  });
}
