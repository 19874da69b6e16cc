/** A real browser without a window, where the machine has one. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Path of the browser: BREAKWATER_CHROMIUM, else where systems put it; undefined when there is none. */
export const browserPath: string | undefined =
  process.env["BREAKWATER_CHROMIUM"] ?? PLACES.find((place) => existsSync(place));

/** Why tests that need a browser are skipped. */
export const NO_BROWSER = "no Chromium or Chrome on this machine; BREAKWATER_CHROMIUM names one";

/** Starts it. Its own traffic is switched off: it would look for hosts that a closed network does not have. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(browserPath === undefined ? {} : { executablePath: browserPath }),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
